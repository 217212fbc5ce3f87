import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { computeMetrics, METRIC_NAMES, type Metric } from '../../../src/metrics/index.js'

const predictions = ['cat', 'cat', 'dog', 'bird', 'The  Cat!']
const targets = ['cat', 'dog', 'dog', 'cat', 'cat']

describe('computeMetrics', () => {
  it('accuracy: the same text', () => {
    expect(computeMetrics(['accuracy'], predictions, targets)).toEqual({ accuracy: 0.4 })
  })

  it('exactMatch: the same but for case, punctuation, articles and white space', () => {
    expect(computeMetrics(['exactMatch'], predictions, targets)).toEqual({ exactMatch: 0.6 })
    expect(computeMetrics(['exactMatch'], ['theatre', 'a.b', ''], ['atre', 'ab', 'the'])).toEqual({ exactMatch: 2 / 3 })
  })

  it('macroF1: the mean of F1 over the targets that occur', () => {
    // cat: 1 right of 2 predicted and 3 actual, 2 / 5; dog: 1 of 1 and 2, 2 / 3.
    expect(computeMetrics(['macroF1'], predictions, targets).macroF1).toBeCloseTo((2 / 5 + 2 / 3) / 2, 12)
  })

  it('is 1 for every metric where all is right, and never leaves [0, 1]', () => {
    const rows = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', ''), fc.constantFrom('a', 'b', 'c')), { minLength: 1 })
    fc.assert(
      fc.property(rows, (pairs) => {
        const [given, wanted] = [pairs.map(([first]) => first), pairs.map(([, second]) => second)]
        expect(Object.values(computeMetrics(METRIC_NAMES, wanted, wanted))).toEqual(METRIC_NAMES.map(() => 1))
        for (const value of Object.values(computeMetrics(METRIC_NAMES, given, wanted))) {
          expect(value).toBeGreaterThanOrEqual(0)
          expect(value).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  it('takes functions, of one number under their name and of several under theirs', () => {
    const length: Metric = (given) => given.join('').length
    const both: Metric = () => ({ precision: 0.5, recall: 0.25 })
    expect(computeMetrics([length, 'accuracy', both], ['ab'], ['ab'])).toEqual({ length: 2, accuracy: 1, precision: 0.5, recall: 0.25 })
  })

  it('refuses what is no metric', () => {
    expect(() => computeMetrics(['rouge'], ['a'], ['a'])).toThrow(/no metric "rouge". Known are accuracy, exactMatch, macroF1/)
    expect(() => computeMetrics(['toString'], ['a'], ['a'])).toThrow(/no metric/)
    expect(() => computeMetrics([() => 1], ['a'], ['a'])).toThrow(/needs a name/)
    expect(() => computeMetrics(['accuracy', 'accuracy'], ['a'], ['a'])).toThrow(/twice/)
  })
})
