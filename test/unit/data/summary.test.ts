import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DataSet, type Example, readExamples, splitSet, summarise, tokenizeExamples } from '../../../src/data/index.js'

async function setOf(examples: Example[], maxInputLength = 8, maxTargetLength = 4): Promise<DataSet> {
  const options = { tokenizer: null, eosTokenId: 1, vocabSize: 1000, maxInputLength, maxTargetLength }
  return tokenizeExamples(await readExamples(examples), options)
}
const example = (input: number, target: number): Example => ({ input: [input, 1], target: [target, 1] })
const text = (ids: Int32Array) => ids.slice(0, -1).join(' ')
const codes = (train: DataSet, validation?: DataSet) => summarise(train, validation, text).warnings.map(({ code }) => code)

describe('summarise', () => {
  it('counts lengths, labels and what was cut', async () => {
    const rows = [
      ...Array.from({ length: 18 }, (_, i) => example(10 + i, i % 3 === 0 ? 5 : 6)),
      { input: Array(20).fill(3), target: [5, 5, 5, 5, 5] },
    ]
    const { train, validation, warnings } = summarise(await setOf(rows), undefined, text)
    expect(validation).toBeNull()
    expect(train).toEqual({
      ...{ examples: 19, duplicates: 0, cutInputs: 1, cutTargets: 1, labels: { '6': 12, '5': 6, '5 5 5': 1 } },
      inputTokens: { min: 2, mean: (18 * 2 + 8) / 19, p95: 8, max: 8 },
      targetTokens: { min: 2, mean: (18 * 2 + 4) / 19, p95: 4, max: 4 },
    })
    expect(warnings.map(({ code, count }) => [code, count])).toEqual([
      ['cutTargets', 1],
      ['cutInputs', 1],
    ])
    expect(warnings[0]!.message).toMatch(/1 of 19 training targets .* the first in Row 18/)
  })

  it('warns of one row, one label, labels that are not trained, and rows of both sets', async () => {
    expect(codes(await setOf([example(10, 5)]))).toEqual(['oneRow'])
    expect(codes(await setOf([example(10, 5), example(11, 5)]))).toEqual(['oneLabel'])
    const train = await setOf([example(10, 5), example(11, 6), example(12, 5), example(13, 6)])
    const validation = await setOf([example(20, 5), example(12, 6), example(21, 7), example(22, 7), example(23, 5), example(24, 6)])
    const { warnings } = summarise(train, validation, text)
    expect(warnings.map(({ code, count }) => [code, count])).toEqual([
      ['duplicates', 1],
      ['labelNotTrained', 2],
    ])
    expect(warnings[0]!.message).toMatch(/1 of 6 .*\(Row 1 has the input of Row 2\)/)
    expect(codes(train, await setOf([example(20, 5), example(21, 6)]))).toEqual([])
  })

  it('counts rows that repeat an earlier one, and warns of those that contradict it', async () => {
    const rows = [example(10, 5), example(11, 6), example(10, 5), example(11, 5), example(12, 6), example(11, 6), example(10, 5)]
    const { train, warnings } = summarise(await setOf(rows), undefined, text)
    expect(train.duplicates).toBe(3)
    expect(warnings.map(({ code, count }) => [code, count])).toEqual([['conflicts', 1]])
    expect(warnings[0]!.message).toMatch(/1 of 7 training rows .* Row 3 \(after Row 1\)/)
  })

  it('takes targets that are nearly all different for free text', async () => {
    expect(summarise(await setOf(Array.from({ length: 9 }, (_, i) => example(i, 20 + i))), undefined, text).train.labels).toBeNull()
  })
})

describe('splitSet', () => {
  it('parts the rows: none lost, none twice, in order, by the seed alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 60 }),
        fc.double({ min: 0.01, max: 0.6, noNaN: true }),
        fc.nat(),
        async (rows, share, seed) => {
          const set = await setOf(Array.from({ length: rows }, (_, i) => example(i, 5)))
          if (Math.max(1, Math.round(rows * share)) >= rows) return
          const { train, validation } = splitSet(set, share, seed)
          const ids = (part: DataSet) => part.inputs.map((input) => input[0]!)
          expect(validation.inputs.length).toBe(Math.max(1, Math.round(rows * share)))
          expect([...ids(train), ...ids(validation)].sort((a, b) => a - b)).toEqual(ids(set))
          expect(ids(train)).toEqual(ids(train).sort((a, b) => a - b))
          expect(ids(splitSet(set, share, seed).validation)).toEqual(ids(validation))
          expect(validation.describe(0)).toBe(`Row ${ids(validation)[0]}`)
        },
      ),
    )
  })

  it('draws other rows with another seed, and refuses to take all', async () => {
    const set = await setOf(Array.from({ length: 50 }, (_, i) => example(i, 5)))
    const drawn = (seed: number) => splitSet(set, 0.2, seed).validation.inputs.map((input) => input[0])
    expect(drawn(1)).not.toEqual(drawn(2))
    expect(drawn(2 ** 32 + 1)).not.toEqual(drawn(1))
    const one = await setOf([example(1, 5)])
    expect(() => splitSet(one, 0.5, 0)).toThrow(/'validationSplit' 0.5 of 1 row leaves nothing/)
  })
})
