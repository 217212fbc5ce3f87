import { expect, it } from 'vitest'
import { inspectFile, SoftPrompt } from '../../src/index.js'
import { failure, load, NANO } from './helpers.js'

const t5 = await load(NANO, { dtype: 'int8' })
const exact = await load(NANO)

it('holds less than bfloat16, as inspect foretells', async () => {
  expect(t5.dtype).toBe('int8')
  expect(t5.info.parameterCount).toBe(exact.info.parameterCount)
  const { memory } = await inspectFile(NANO)
  expect(memory?.int8).toBeLessThan(memory?.bfloat16 as number)
  // float32 where the processor does not multiply bfloat16: more
  expect(t5.info.bytes).toBeGreaterThanOrEqual(memory?.int8 as number)
  expect(t5.info.bytes).toBeLessThan(exact.info.bytes)
})

it('scores and classifies nearly as float32 does, and decodes', async () => {
  const rows = [
    { input: 'Set an alarm for seven', target: 'alarm' },
    { input: 'Play some jazz', target: 'music and more' },
  ]
  const [got, expected] = [await t5.score(rows), await exact.score(rows)]
  got.forEach(({ logProb }, i) => {
    expect(Math.abs(logProb - (expected[i]?.logProb as number))).toBeLessThan(0.05 * Math.abs(logProb))
  })
  const inputs = rows.map(({ input }) => input)
  const labels = ['alarm', 'alarm clock', 'music']
  const classified = await t5.classify(inputs, { labels })
  const [score] = await t5.score([{ input: inputs[0] as string, target: 'alarm clock' }])
  expect(classified[0]?.logProbs[1]).toBeCloseTo(score?.logProb as number, 2)
  const generated = await t5.generate(inputs, { maxNewTokens: 5, minNewTokens: 5 })
  expect(generated.map(({ tokens }) => tokens.length)).toEqual([5, 5])
})

it('refuses what needs gradients, and says what to do', async () => {
  const prompt = SoftPrompt.fromArray(new Float32Array(2 * t5.config.dModel).fill(0.1), { rows: 2, dModel: t5.config.dModel })
  const refusal = { code: 'OPTION_UNSUPPORTED', message: expect.stringContaining("dtype 'bfloat16' or 'float32'") }
  expect(await failure(t5.gradient([{ input: 'a', target: 'b' }], { prompt }))).toMatchObject(refusal)
  expect(await failure(t5.tune({ train: [{ input: 'a', target: 'b' }], steps: 1 }).result)).toMatchObject(refusal)
})
