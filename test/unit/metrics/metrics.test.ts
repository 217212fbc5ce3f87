import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkMetrics, computeMetrics, higherIsBetter, METRIC_NAMES, type Metric, type MetricChoice } from '../../../src/metrics/index.js'

interface Case {
  predictions: string[]
  targets: string[]
  scores: Record<string, number>
}

const cases = JSON.parse(readFileSync(new URL('../../fixtures/metrics/metrics.json', import.meta.url), 'utf8')) as Case[]

function compute(choices: readonly MetricChoice[], predictions: string[], targets: string[], fields: Record<string, unknown>[] = []) {
  const rows = targets.map((target, i) => ({ ...fields[i], input: '', target }))
  return computeMetrics(choices, { predictions, targets, rows, describe: (row) => `Row ${row}` })
}

describe('equal to the reference implementations (test/fixtures/metrics)', () => {
  it.each(cases.flatMap((each, i) => Object.keys(each.scores).map((name) => [i, name] as const)))('case %i: %s', async (i, name) => {
    const { predictions, targets, scores } = cases[i]!
    const result = await compute([name], predictions, targets)
    expect(result[name]).toBeCloseTo(scores[name]!, 12)
  })

  it('has every metric in one of the cases, but those that need a group', () => {
    const covered = new Set(cases.flatMap(({ scores }) => Object.keys(scores)))
    expect(METRIC_NAMES.filter((name) => !covered.has(name))).toEqual(['multirc', 'record'])
  })
})

describe('computeMetrics', () => {
  const predictions = ['cat', 'cat', 'dog', 'bird', 'The  Cat!']
  const targets = ['cat', 'dog', 'dog', 'cat', 'cat']

  it('accuracy and exactMatch', async () => {
    expect(await compute(['accuracy', 'exactMatch'], predictions, targets)).toEqual({ accuracy: 0.4, exactMatch: 0.6 })
    expect(await compute(['exactMatch'], ['theatre', 'a.b', ''], ['atre', 'ab', 'the'])).toEqual({ exactMatch: 2 / 3 })
  })

  it('takes the best of several right answers', async () => {
    const fields = [{ answers: ['Rome', 'the city of Rome'] }]
    expect(await compute(['exactMatch', 'tokenF1'], ['city of rome'], ['Rome'], fields)).toEqual({ exactMatch: 1, tokenF1: 1 })
    expect(await compute(['exactMatch', 'tokenF1'], ['city rome'], ['Rome'], fields)).toEqual({ exactMatch: 0, tokenF1: 0.8 })
  })

  it('multirc: F1 over all answers and whole questions; record: one row a question', async () => {
    const groups = [{ group: 1 }, { group: 1 }, { group: 2 }, { group: 2 }]
    // yes: 2 right of 3 given and 2 wanted; question 1 is all right, question 2 is not.
    const given = ['yes', 'no', 'yes', 'yes']
    const multirc = await compute(['multirc'], given, ['yes', 'no', 'no', 'yes'], groups)
    expect(multirc).toEqual({ multirc: (0.8 + 0.5) / 2, 'multirc.f1a': 0.8, 'multirc.exactMatch': 0.5 })
    const named = await compute(['multirc:no'], given, ['yes', 'no', 'no', 'yes'], groups)
    expect(Object.keys(named)).toEqual(['multirc:no', 'multirc:no.f1a', 'multirc:no.exactMatch'])
    const answers = groups.map(({ group }) => ({ group, answers: group === 1 ? ['x', 'y'] : ['z'] }))
    expect(await compute(['record'], ['y', 'none', 'no', 'z'], ['x', 'y', 'z', 'z'], answers)).toEqual({
      ...{ record: 0.5, 'record.exactMatch': 0.5, 'record.f1': 0.5 },
    })
  })

  it('multirc is F1 over all answers and the share of whole questions, in any order of the rows', async () => {
    const row = fc.record({ group: fc.nat(3), given: fc.constantFrom('yes', 'no', 'maybe'), wanted: fc.constantFrom('yes', 'no') })
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 16 }), async (some) => {
        const rows = [...some, { group: 4, given: 'no', wanted: 'yes' }] // so that it is a class
        const isYes = ({ given, wanted }: (typeof rows)[0]) => given === 'yes' || (given === 'maybe' && wanted === 'no')
        const [claimed, wanted] = [rows.filter(isYes), rows.filter((row) => row.wanted === 'yes')]
        const right = claimed.filter((row) => row.wanted === 'yes').length
        const f1a = claimed.length + wanted.length === 0 ? 0 : (2 * right) / (claimed.length + wanted.length)
        const groups = [...new Set(rows.map(({ group }) => group))]
        const whole = groups.filter((group) => rows.every((row) => row.group !== group || row.given === row.wanted)).length / groups.length
        for (const each of [rows, rows.toReversed()]) {
          const result = await compute(
            ['multirc:yes'],
            each.map(({ given }) => given),
            each.map(({ wanted }) => wanted),
            each.map(({ group }) => ({ group })),
          )
          expect(result['multirc:yes.f1a']).toBeCloseTo(f1a, 12)
          expect(result['multirc:yes.exactMatch']).toBeCloseTo(whole, 12)
          expect(result['multirc:yes']).toBeCloseTo((f1a + whole) / 2, 12)
        }
      }),
    )
  })

  it('record is the mean of exact match and token F1 where every row is a question of its own', async () => {
    const text = fc.constantFrom('a', 'b c', 'the', 'x y z w', 'x w', '3.5,')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text, fc.array(text, { maxLength: 3 })), { minLength: 1, maxLength: 12 }), async (rows) => {
        const fields = rows.map(([, , answers], group) => ({ group, ...(answers.length > 0 && { answers }) }))
        const [given, wanted] = [rows.map(([first]) => first), rows.map(([, second]) => second)]
        const { exactMatch, tokenF1, record } = await compute(['exactMatch', 'tokenF1', 'record'], given, wanted, fields)
        expect(record).toBeCloseTo((exactMatch! + tokenF1!) / 2, 12)
      }),
    )
  })

  it('counts a correlation of outputs that are no numbers, and of outputs that are all one', async () => {
    const { pearson } = await compute(['pearson'], ['1', 'word', '3'], ['1', '2', '3'])
    expect(pearson).toBeCloseTo(0.5, 12) // of 1, -1, 3
    expect(await compute(['pearson', 'spearman'], ['', '', ''], ['1', '2', '3'])).toEqual({ pearson: 0, spearman: 0 })
  })

  it('keeps its bounds, is 1 where all is right, and knows nothing of the order of rows', async () => {
    const names = METRIC_NAMES.filter((name) => !['f1', 'pearson', 'spearman', 'multirc', 'record', 'invalid'].includes(name))
    const word = fc.constantFrom('a', 'b c', 'the', 'x y z w', '', 'Ünï', '3.5,', '\u{1f600} .', '&amp;', 'constructor')
    const rows = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(rows, async (pairs) => {
        const [given, wanted] = [pairs.map(([first]) => first), pairs.map(([, second]) => second)]
        const result = await compute(names, given, wanted)
        for (const [name, value] of Object.entries(result)) {
          expect(value).toBeGreaterThanOrEqual(name === 'matthews' ? -1 : 0)
          expect(value).toBeLessThanOrEqual(1 + 1e-12)
        }
        const turned = await compute(names, given.toReversed(), wanted.toReversed())
        for (const name of Object.keys(result)) expect(turned[name]).toBeCloseTo(result[name]!, 12)
        const right = await compute(['accuracy', 'exactMatch', 'macroF1', 'microF1', 'weightedF1', 'cb', 'invalid'], wanted, wanted)
        const ones = { accuracy: 1, exactMatch: 1, macroF1: 1, microF1: 1, cb: 1, 'cb.accuracy': 1, 'cb.macroF1': 1 }
        expect({ ...right, weightedF1: 1 }).toEqual({ ...ones, weightedF1: 1, invalid: 0 })
        expect(right.weightedF1).toBeCloseTo(1, 12)
      }),
    )
  })

  it("takes one's own: functions, definitions, promises, several numbers, the rows' fields", async () => {
    const length: Metric = (given) => given.join('').length
    const both: Metric = () => ({ precision: 0.5, recall: 0.25 })
    const later = {
      name: 'sum',
      compute: async (_: unknown, __: unknown, rows: readonly Record<string, unknown>[]) => Number(rows[0]!.weight),
    }
    expect(await compute([length, 'accuracy', both, later], ['ab'], ['ab'], [{ weight: 3 }])).toEqual({
      ...{ length: 2, accuracy: 1, precision: 0.5, recall: 0.25, sum: 3 },
    })
  })

  it('knows which way is better', () => {
    const error = { name: 'error', compute: () => 1, higherIsBetter: false }
    expect(['accuracy', 'invalid', 'error'].map((name) => higherIsBetter(['accuracy', 'invalid', error], name))).toEqual([
      true,
      false,
      false,
    ])
  })

  it.each<[MetricChoice, RegExp]>([
    ['rouge', /no metric "rouge". Known are accuracy, exactMatch/],
    ['toString', /no metric/],
    ['bleu:4', /takes nothing after a colon/],
    [() => 1, /needs a name/],
    [{ name: 'x' } as unknown as MetricChoice, /function, or \{ name, compute \}/],
    [{ name: 'mine', compute: () => Number.NaN }, /'mine' gave NaN/],
    [{ name: 'mine', compute: () => undefined as unknown as number }, /'mine' gave undefined/],
  ])('refuses %s', async (choice, message) => {
    await expect(compute([choice], ['a'], ['a'])).rejects.toThrow(message)
    await expect(compute(['accuracy', 'accuracy'], ['a'], ['a'])).rejects.toThrow(/twice/)
  })
})

describe('how the metrics hang together', () => {
  const word = fc.constantFrom('a', 'b', 'c')
  const labelled = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 30 })
  const split = (rows: [string, string][]): [string[], string[]] => [rows.map(([a]) => a), rows.map(([, b]) => b)]

  it('outputs that are all targets: micro F1 is the accuracy, none is invalid, and cb is the mean that it says', async () => {
    await fc.assert(
      fc.asyncProperty(labelled, async (rows) => {
        const [outputs, targets] = split(rows)
        const predictions = outputs.map((output) => (targets.includes(output) ? output : targets[0]!))
        const { accuracy, microF1, invalid, macroF1, cb } = await compute(
          ['accuracy', 'microF1', 'invalid', 'macroF1', 'cb'],
          predictions,
          targets,
        )
        expect(microF1).toBeCloseTo(accuracy!, 12)
        expect(invalid).toBe(0)
        expect(cb).toBeCloseTo((accuracy! + macroF1!) / 2, 12)
      }),
    )
  })

  it('Matthews is between -1 and 1 and the same for predictions and targets changed over', async () => {
    await fc.assert(
      fc.asyncProperty(labelled, async (rows) => {
        const [predictions, targets] = split(rows)
        const { matthews } = await compute(['matthews'], predictions, targets)
        expect(Math.abs(matthews!)).toBeLessThanOrEqual(1 + 1e-12)
        expect((await compute(['matthews'], targets, predictions)).matthews).toBeCloseTo(matthews!, 12)
      }),
    )
  })

  it('correlations: Pearson knows neither unit nor zero, Spearman nothing but the order', async () => {
    const number = fc.integer({ min: -50, max: 50 })
    const pairs = fc
      .array(fc.tuple(number, number), { minLength: 2, maxLength: 20 })
      .filter((rows) => new Set(rows.map(([, b]) => b)).size > 1)
    await fc.assert(
      fc.asyncProperty(pairs, async (rows) => {
        const [a, b] = [rows.map(([x]) => x), rows.map(([, y]) => y)]
        const both = async (x: number[], y: number[]) => compute(['pearson', 'spearman'], x.map(String), y.map(String))
        const { pearson, spearman } = await both(a, b)
        const moved = await both(
          a.map((x) => 4 * x + 8),
          b,
        )
        expect(moved.pearson).toBeCloseTo(pearson!, 9)
        expect(
          (
            await both(
              a.map((x) => x ** 3),
              b,
            )
          ).spearman,
        ).toBeCloseTo(spearman!, 9)
        expect(
          (
            await both(
              a.map((x) => -x),
              b,
            )
          ).spearman,
        ).toBeCloseTo(-spearman!, 9)
      }),
    )
  })
})

describe('checkMetrics', () => {
  const check = (name: string, targets: string[], labels?: string[]) =>
    checkMetrics([name], {
      targets,
      labels,
      rows: targets.map((target) => ({ input: '', target })),
      describe: (row) => `dev.jsonl, line ${row + 1}`,
    })

  it.each([
    ['pearson', ['1.5', 'good'], /'pearson' .*numbers, but the target of dev.jsonl, line 2 is "good"/],
    ['spearman', [' '], /dev.jsonl, line 1/],
    ['pearson', ['2', '2.0'], /targets that differ/],
    ['f1', ['a', 'b', 'c'], /two classes, but there are 3; the third is "c" of dev.jsonl, line 3/],
    ['f1', ['good', 'bad'], /which is positive is not told. Write 'f1:LABEL'/],
    ['f1:none', ['good', 'bad'], /"none" is none of its classes/],
    ['multirc', ['yes', 'no'], /dev.jsonl, line 1 has no field "group"/],
    ['record', ['x'], /no field "group"/],
    ['f1:Yes', ['yes', 'no'], /'f1:Yes' .*"Yes" is none of its classes, "yes" and "no"/],
  ])('%s of %j', (name, targets, message) => {
    expect(() => check(name, targets)).toThrow(message)
    expect(() => check(name, targets)).toThrow(expect.objectContaining({ code: 'DATA_METRIC_UNFIT' }))
  })

  it('finds the positive class', () => {
    for (const classes of [
      ['no', 'yes'],
      ['True', 'False'],
      ['equivalent', 'not_equivalent'],
    ])
      check('f1', classes)
    check('f1:good', ['good', 'bad'])
    check('f1', ['yes'], ['no', 'yes'])
  })
})
