import { describe, expect, test } from 'vitest'
import type { AdaptResult } from '../../src/index.js'
import { failure, load, NANO } from '../api/helpers.js'
import { create, createOfBytes, SENTENCES, scoresOf, TINY_ADAPT, TINY_TEXT, tiny } from './helpers.js'

test.each(['prefix-lm', 'span-corruption', { 'prefix-lm': 0.5, 'span-corruption': 0.5 }] as const)(
  'a new model lowers the held-out loss: %j',
  { timeout: 120_000 },
  async (objective) => {
    const fresh = await createOfBytes()
    const digest = await fresh.digest()
    const run = fresh.adapt({
      text: SENTENCES,
      objective,
      heldOut: 0.1,
      windowLength: 32,
      steps: 120,
      batchSize: 8,
      evaluateEvery: 40,
      seed: 1,
    })
    const losses: number[] = []
    for await (const event of run) if (event.type === 'evaluation') losses.push(event.metrics.loss as number)
    const { model, report } = await run.result
    expect(losses).toHaveLength(3)
    // log(384) is 5.95: what a model says that knows nothing.
    expect(losses[0]).toBeLessThan(4)
    expect(losses[2]).toBeLessThan(0.85 * (losses[0] as number))
    expect(report.metrics.perplexity).toBeCloseTo(Math.exp(report.metrics.loss as number), 6)
    expect(report.options).toMatchObject({ preset: 'pretraining', optimizer: { learningRate: 0.01, schedule: 't5', warmupSteps: 10_000 } })
    expect(report.data.validation!.windows).toBeGreaterThan(0)
    expect(await fresh.digest()).toBe(digest)
    await model.dispose()
    await fresh.dispose()
  },
)

test('a new model is a function of its seed, and learns nothing from being made', async () => {
  const models = await Promise.all([create(), create(), create({ seed: 4 })])
  const [first, again, other] = models.map((model) => model.fingerprint)
  expect(again).toBe(first)
  expect(other).not.toBe(first)
  for (const model of models) await model.dispose()
})

describe('streams', () => {
  async function* documents(count: number) {
    for (let i = 0; i < count; i++) yield TINY_TEXT[i % TINY_TEXT.length]!
  }

  test('an endless one trains', async () => {
    const t5 = await tiny()
    const { model, report } = await t5.adapt({ ...TINY_ADAPT, text: documents(1e9), validation: TINY_TEXT.slice(0, 10), shuffleBuffer: 16 })
      .result
    expect(report).toMatchObject({ steps: 6, stopped: 'steps', data: { train: { windows: null } } })
    expect(report.data.train.tokens).toBeGreaterThan(6 * 3 * 12)
    await model.dispose()
  })

  test('one that ends ends the run', async () => {
    const t5 = await tiny()
    const { model, report } = await t5.adapt({
      ...TINY_ADAPT,
      text: documents(40),
      shuffleBuffer: 4,
      steps: 1000,
      validation: TINY_TEXT,
      evaluateEvery: 1000,
    }).result
    expect(report.stopped).toBe('textEnded')
    expect(report.steps).toBe(Math.floor(Math.floor((40 * 5) / 12) / 3))
    expect(report.history).toHaveLength(1)
    await model.dispose()
  })

  test('nothing can be held out of one', async () => {
    const error = await failure((await tiny()).adapt({ ...TINY_ADAPT, text: documents(9), heldOut: 0.1 }).result)
    expect(error).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining("'validation'") })
  })
})

test('the schedule of T5: a constant rate, then the inverse square root', async () => {
  const optimizer = { name: 'adafactor', learningRate: 0.01, schedule: 't5', warmupSteps: 3, parameterScaling: false } as const
  const { model, report } = await (await tiny()).adapt({ ...TINY_ADAPT, steps: 12, optimizer }).result
  const rates = report.losses.map(({ learningRate }) => learningRate)
  expect(rates.slice(0, 3)).toEqual([0.01, 0.01, 0.01])
  expect(rates[11]).toBeCloseTo(0.01 * Math.sqrt(3 / 12), 8)
  await model.dispose()
})

test('a loaded model adapts at the rate of the schedule after a million steps', async () => {
  const { model, report } = await (await tiny()).adapt({ ...TINY_ADAPT, steps: 1 }).result
  expect(report.options).toMatchObject({ preset: 'adaptation', optimizer: { learningRate: 0.001, schedule: 'constant' }, dropout: 0 })
  await model.dispose()
})

test('an abort keeps what was learned', async () => {
  const run = (await tiny()).adapt({ ...TINY_ADAPT, steps: 1_000_000 })
  for await (const event of run) if (event.type === 'step' && event.step === 3) run.abort()
  const error = await failure(run.result)
  expect(error.name).toBe('AbortError')
  const { model } = error.partial as AdaptResult
  expect((await scoresOf(model)).every(Number.isFinite)).toBe(true)
  await model.dispose()
})

test.each([
  ['no text', {}, 'OPTION_INVALID', /'text' is missing/],
  ['no document', { text: [] }, 'DATA_EMPTY', /training text is empty/],
  ['a single line', { text: ['play some jazz'] }, 'DATA_TEXT_SHORT', /a window is 512/],
  ['too little to hold out', { text: ['play some jazz'], windowLength: 4, heldOut: 0.5 }, 'OPTION_INVALID', /leaves nothing/],
  ['unknown characters', { text: ['\u{13000}\u{13001}'], windowLength: 4 }, 'DATA_TEXT_UNKNOWN', /no character/],
  ['no such file', { text: 'no/such/corpus' }, 'DATA_FILE_NOT_FOUND', /no\/such\/corpus/],
  ['another objective', { objective: 'causal-lm' }, 'OPTION_INVALID', /'objective' is "causal-lm"/],
  ['no share', { objective: { 'prefix-lm': 0 } }, 'OPTION_INVALID', /'objective'/],
  ['two validations', { heldOut: 0.1, validation: SENTENCES }, 'OPTION_INVALID', /both given/],
  [
    'too few sentinels',
    { objective: 'span-corruption', windowLength: 4096 },
    'OPTION_INVALID',
    /needs \d+ sentinels, but the tokenizer of nano-t5 has 100/,
  ],
  [
    'a sentinel beyond the ids',
    { objective: 'span-corruption', sentinels: [99_999], windowLength: 8 },
    'OPTION_INVALID',
    /99999 is beyond/,
  ],
  ['a window too short', { windowLength: 3 }, 'OPTION_INVALID', /'windowLength' is 3/],
] as [string, object, string, RegExp][])('%s is refused', async (name, options, code, message) => {
  const t5 = await load(NANO)
  const given = name === 'no text' ? options : { text: SENTENCES, ...options }
  expect(await failure(t5.adapt(given as never).result)).toMatchObject({ code, message: expect.stringMatching(message) })
})

test('span corruption without a tokenizer needs sentinels as ids', async () => {
  const t5 = await tiny()
  const spans = { ...TINY_ADAPT, objective: 'span-corruption' } as const
  expect(await failure(t5.adapt(spans).result)).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining("'sentinels'") })
  const { model, report } = await t5.adapt({ ...spans, sentinels: [119, 118] }).result
  expect(report.steps).toBe(6)
  await model.dispose()
})
