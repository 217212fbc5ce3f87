// Every way to decode, against Hugging Face's answers in decoding.json of each family (test/fixtures/make_decoding.py); and that a row's answer is its own.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GenerateOptions, type Generation, type QueryRow, SoftPrompt, T5 } from '../../src/index.js'
import { Answers, folderOf } from './answers.js'

interface Case extends GenerateOptions {
  name: string
  /** Of each input without a prompt, then behind it: its outputs, the best first. */
  answers: { tokens: number[]; logProb: number }[][]
}

interface Recorded {
  inputs: number[][]
  cases: Case[]
}

const recorded = (family: string): Recorded => JSON.parse(readFileSync(join(folderOf(family), 'decoding.json'), 'utf8'))

/** An LCG: the same batches on every machine. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe.each(['t5-v1.0', 't5-v1.1'])('%s decodes as Hugging Face does', (family) => {
  const { inputs, cases } = recorded(family)
  const answers = new Answers(family)
  const [rows, dModel] = answers.shape('prompt') as [number, number]
  const prompt = SoftPrompt.fromArray(answers.floats('prompt'), { rows, dModel })
  let t5: T5
  beforeAll(async () => {
    t5 = await T5.load(folderOf(family), { device: 'cpu', dtype: 'float32', threads: 1 })
  })
  afterAll(() => t5?.dispose())

  const queriesOf = ({ name: _name, answers: _answers, ...options }: Case): QueryRow[] =>
    inputs.flatMap((input) => [
      { input, ...options },
      { input, prompt, ...options },
    ])

  const check = (found: Generation[], one: Case) => {
    const expected = one.answers.flat()
    expect(found.map(({ tokens }) => [...tokens])).toEqual(expected.map(({ tokens }) => tokens))
    found.forEach(({ logProb, tokens, finishReason }, i) => {
      expect(logProb).toBeCloseTo(expected[i]!.logProb, 3)
      expect(finishReason).toBe(tokens.at(-1) === 1 ? 'eos' : 'length')
    })
  }

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    check(await t5.generate(queriesOf(one)), one)
  })

  it('all of these in one call', async () => {
    const found = await t5.generate(cases.flatMap(queriesOf))
    for (const one of cases) check(found.splice(0, one.answers.flat().length), one)
  })
})

describe('a row is answered for itself, however it is decoded', () => {
  const answers = new Answers('t5-v1.1')
  const [rows, dModel] = answers.shape('prompt') as [number, number]
  const values = answers.floats('prompt')
  const prompts = [rows, 2, 1].map((n) => SoftPrompt.fromArray(values.slice(0, n * dModel), { rows: n, dModel }))
  let t5: T5
  beforeAll(async () => {
    t5 = await T5.load(folderOf('t5-v1.1'), { device: 'cpu', dtype: 'float32', threads: 1 })
  })
  afterAll(() => t5?.dispose())

  const optionsOf = (random: (below: number) => number): GenerateOptions => {
    const oneIn = (n: number) => random(n) === 0
    const sampling = {
      doSample: true,
      seed: random(1000),
      temperature: 0.5 + random(10) / 5,
      topK: random(3) * 20,
      topP: 1 - random(3) / 5,
    }
    const beams = { numBeams: 2 + random(3), lengthPenalty: random(4) - 1, earlyStopping: ([true, false, 'never'] as const)[random(3)]! }
    return {
      maxNewTokens: 5 + random(6),
      ...(oneIn(3) ? sampling : oneIn(2) ? beams : {}),
      ...(oneIn(4) && { minNewTokens: random(5) }),
      ...(oneIn(4) && { repetitionPenalty: 0.7 + random(10) / 10 }),
      ...(oneIn(4) && { noRepeatNgramSize: 1 + random(3) }),
      ...(oneIn(4) && { badWords: [[3], [5, 6], [7]] }),
      ...(oneIn(6) && { labels: [[11, 12], [11], [40, 41, 42], [50]] }),
    }
  }

  it('in 200 random batches', { timeout: 600_000 }, async () => {
    for (let round = 0; round < 200; round++) {
      const random = randomOf(round + 1)
      const batch: QueryRow[] = Array.from({ length: 2 + random(5) }, () => ({
        input: Array.from({ length: 1 + random(20) }, () => 3 + random(117)),
        prompt: [null, ...prompts][random(4)]!,
        ...optionsOf(random),
      }))
      const together = await t5.generate(batch)
      for (const [i, query] of batch.entries()) {
        const alone = await t5.generate(query)
        expect([round, i, ...together[i]!.tokens]).toEqual([round, i, ...alone.tokens])
        expect(together[i]!.logProb).toBeCloseTo(alone.logProb, 3)
      }
    }
  })
})
