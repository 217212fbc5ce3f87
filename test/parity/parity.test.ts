// Through the public API: the same answers as Hugging Face's, for every family of test/fixtures.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Generation, type QueryRow, SoftPrompt, T5 } from '../../src/index.js'
import { Answers, CALM, FAMILIES, folderOf, relativeDifference, WITH_EDGES } from './answers.js'

const TOLERANCE = 1e-4
const BFLOAT16_TOLERANCE = 2e-2
const NEW_TOKENS = 10 // the fixtures' max_new_tokens

describe.each(FAMILIES)('%s equals Hugging Face', (family) => {
  const answers = new Answers(family)
  const [rows, dModel] = answers.shape('prompt') as [number, number]
  const prompt = SoftPrompt.fromArray(answers.floats('prompt'), { rows, dModel })
  const examples = answers.inputs.map((input, i) => ({ input, target: answers.targets[i] as number[] }))
  let t5: T5
  beforeAll(async () => {
    t5 = await T5.load(folderOf(family), { device: 'cpu', dtype: 'float32' })
  })
  afterAll(() => t5?.dispose())

  it('in loss and prompt gradient', async () => {
    const { loss, gradient } = await t5.gradient(examples, { prompt, loss: { reduction: 'mean' } })
    expect(relativeDifference([loss], answers.floats('prompted.loss'))).toBeLessThan(TOLERANCE)
    expectGradient(gradient, answers.floats('prompted.prompt_gradient'))
  })

  it('in the sum of the loss over target tokens', async () => {
    const { loss } = await t5.gradient(examples, { prompt })
    const tokens = answers.targets.flat().length
    expect(relativeDifference([loss / tokens], answers.floats('prompted.loss'))).toBeLessThan(TOLERANCE)
  })

  it('in greedy ids, rows with and without a prompt in one batch', async () => {
    const queries = answers.inputs.flatMap((input) => [{ input }, { input, prompt }])
    const found = await t5.generate(queries, { maxNewTokens: NEW_TOKENS })
    expect(found.filter((_, i) => i % 2 === 0).map(tokensOf)).toEqual(answers.generated('plain'))
    expect(found.filter((_, i) => i % 2 === 1).map(tokensOf)).toEqual(answers.generated('prompted'))
    for (const { tokens, finishReason } of found) expect(finishReason).toBe(tokens.at(-1) === answers.eosTokenId ? 'eos' : 'length')
  })

  it('in the ids of four beams, rows with and without a prompt in one batch', async () => {
    const queries = answers.inputs.flatMap((input) => [{ input }, { input, prompt }])
    const found = (await t5.generate(queries, { maxNewTokens: NEW_TOKENS, numBeams: 4 })).map(tokensOf)
    expect(found.filter((_, i) => i % 2 === 0)).toEqual(answers.generated('plain', 'beams'))
    expect(found.filter((_, i) => i % 2 === 1)).toEqual(answers.generated('prompted', 'beams'))
  })

  it.each(['plain', 'prompted'] as const)('in the log-probability of every target token, %s', async (name) => {
    const scores = await t5.score(examples, { prompt: name === 'plain' ? null : prompt })
    answers.logProbs(name).forEach((expected, i) => {
      const { logProb, tokenLogProbs } = scores[i] as (typeof scores)[number]
      expect(relativeDifference(tokenLogProbs, expected)).toBeLessThan(TOLERANCE)
      expect(logProb).toBeCloseTo(
        expected.reduce((a, b) => a + b, 0),
        3,
      )
    })
  })

  it('in the log-probability of every label', async () => {
    const labels = answers.targets
    const found = await t5.classify(answers.inputs, { labels, prompt })
    for (const [row, input] of answers.inputs.entries()) {
      const scores = await t5.score(
        labels.map((target) => ({ input, target })),
        { prompt },
      )
      const expected = scores.map(({ logProb }) => logProb)
      const { index, logProbs, probabilities } = found[row] as (typeof found)[number]
      expect(relativeDifference(logProbs, expected)).toBeLessThan(TOLERANCE)
      expect(index).toBe(expected.indexOf(Math.max(...expected)))
      expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
    }
  })
})

describe.each(CALM)('%s in bfloat16 is near to float32', (family) => {
  it('in loss and log-probabilities', async () => {
    const answers = new Answers(family)
    const { data, shape } = answers.prompt()
    const prompt = SoftPrompt.fromArray(data, shape)
    const examples = answers.inputs.map((input, i) => ({ input, target: answers.targets[i] as number[] }))
    await using t5 = await T5.load(folderOf(family), { device: 'cpu', dtype: 'bfloat16' })
    const { loss } = await t5.gradient(examples, { prompt, loss: { reduction: 'mean' } })
    expect(relativeDifference([loss], answers.floats('prompted.loss'))).toBeLessThan(BFLOAT16_TOLERANCE)
    const scores = await t5.score(examples, { prompt })
    answers.logProbs('prompted').forEach((expected, i) => {
      expect(relativeDifference((scores[i] as (typeof scores)[number]).tokenLogProbs, expected)).toBeLessThan(BFLOAT16_TOLERANCE)
    })
  })
})

describe.each(WITH_EDGES)('%s equals Hugging Face on rows of 512 tokens and of 1', (family) => {
  const answers = new Answers(family, 'edges')
  let t5: T5
  beforeAll(async () => {
    t5 = await T5.load(folderOf(family), { device: 'cpu', dtype: 'float32' })
  })
  afterAll(() => t5?.dispose())

  it.each([1, 150])('behind a prompt of %i rows', async (rows) => {
    const { data, shape } = answers.prompt(`prompt${rows}`)
    const prompt = SoftPrompt.fromArray(data, shape)
    const examples = answers.inputs.map((input, i) => ({ input, target: answers.targets[i] as number[] }))
    expect(examples.map(({ input }) => input.length)).toEqual([512, 1])
    const { loss, gradient } = await t5.gradient(examples, { prompt, loss: { reduction: 'mean' } })
    expect(relativeDifference([loss], answers.floats(`prompt${rows}.loss`))).toBeLessThan(TOLERANCE)
    expectGradient(gradient, answers.floats(`prompt${rows}.prompt_gradient`))
    const found = await t5.generate(answers.inputs, { prompt, maxNewTokens: NEW_TOKENS })
    expect(found.map(tokensOf)).toEqual(answers.generated(`prompt${rows}`))
  })
})

/** Relative to the largest of its numbers, which may all be small. */
function expectGradient(found: Float32Array, expected: Float32Array): void {
  const largest = Math.max(...expected.map(Math.abs))
  const scaled = (values: Float32Array) => values.map((value) => value / largest)
  expect(relativeDifference(scaled(found), scaled(expected))).toBeLessThan(TOLERANCE)
}

describe('a row is answered for itself', () => {
  const answers = new Answers('t5-v1.1')
  const [rows, dModel] = answers.shape('prompt') as [number, number]
  const values = answers.floats('prompt')
  const long = SoftPrompt.fromArray(values, { rows, dModel })
  const short = SoftPrompt.fromArray(values.slice(0, 2 * dModel), { rows: 2, dModel })
  let t5: T5
  beforeAll(async () => {
    t5 = await T5.load(folderOf('t5-v1.1'), { device: 'cpu', dtype: 'float32' })
  })
  afterAll(() => t5?.dispose())

  const queries = (count: number): QueryRow[] =>
    Array.from({ length: count }, (_, i) => ({
      input: Array.from({ length: 1 + ((i * 7) % 23) }, (_, j) => 3 + ((i * 31 + j * 17) % 110)),
      prompt: [null, long, short][i % 3] ?? null,
      maxNewTokens: 1 + (i % 12),
      minNewTokens: i % 4 === 0 ? 1 + (i % 12) : 0,
    }))

  it('whatever its neighbours are', async () => {
    const all = queries(80)
    const together = await t5.generate(all)
    expect(together).toHaveLength(80)
    for (let i = 0; i < 80; i += 3) {
      const alone = await t5.generate(all[i] as QueryRow)
      const shared = together[i] as Generation
      expect(tokensOf(shared)).toEqual(tokensOf(alone))
      expect(shared.logProb).toBeCloseTo(alone.logProb, 3)
      expect(shared.finishReason).toBe(alone.finishReason)
    }
  })

  it('and logProb is the score of its tokens', async () => {
    const all = queries(12)
    const found = await t5.generate(all)
    const scores = await t5.score(all.map(({ input, prompt }, i) => ({ input, prompt, target: (found[i] as Generation).tokens })))
    scores.forEach(({ logProb }, i) => {
      expect(logProb).toBeCloseTo((found[i] as Generation).logProb, 3)
    })
  })

  it('as one in, one out; none in, none out', async () => {
    const [query] = queries(1) as [QueryRow]
    expect(Array.isArray(await t5.generate(query))).toBe(false)
    expect(await t5.generate([query])).toHaveLength(1)
    expect(await t5.generate([])).toEqual([])
    expect(await t5.score([])).toEqual([])
    expect(await t5.classify([], { labels: [[3], [4]] })).toEqual([])
  })

  it('token by token in a stream', async () => {
    const query = { ...(queries(2)[1] as QueryRow), maxNewTokens: 12, minNewTokens: 12 }
    const tokens: number[] = []
    for await (const { token } of t5.stream(query)) tokens.push(token)
    expect(tokens).toEqual(tokensOf(await t5.generate(query)))
  })

  it('until it is aborted, and then the next', async () => {
    const [query] = queries(1) as [QueryRow]
    const controller = new AbortController()
    const endless = t5.generate({ ...query, maxNewTokens: 100_000, minNewTokens: 100_000 }, { signal: controller.signal })
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 30)
    await expect(endless).rejects.toBe(reason)
    await expect(t5.generate(query, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect((await t5.generate(query)).tokens.length).toBeGreaterThan(0)
  })
})

const tokensOf = ({ tokens }: Generation): number[] => [...tokens]
