import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { SoftPrompt, type StepEvent, T5, type TuneEvent, type TuneResult } from '../../src/index.js'
import { collect, failure, load, NANO, snips, TINY, TINY_EXAMPLES, TINY_RUN, temporaryFolder, wavyPrompt } from './helpers.js'

const folder = temporaryFolder()
let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

const validation = TINY_EXAMPLES.slice(0, 4)
const ofType = <T extends TuneEvent['type']>(events: TuneEvent[], type: T) =>
  events.filter((event) => event.type === type) as Extract<TuneEvent, { type: T }>[]
const partialOf = (error: { partial?: unknown }) => error.partial as TuneResult

describe('a run', () => {
  test('tells its events, which survive JSON', async () => {
    const run = tiny.tune({ ...TINY_RUN, validation, evaluateEvery: 2 })
    const events = await collect(run)
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      'step',
      'step',
      'evaluation',
      'step',
      'step',
      'evaluation',
      'step',
      'step',
      'evaluation',
      'end',
    ])
    expect(JSON.parse(JSON.stringify(events))).toEqual(events)
    const shape = { promptRows: 4, dModel: 48, parameters: 192, modelParameters: tiny.info.parameterCount }
    expect(events[0]).toMatchObject({ type: 'start', examples: 6, validation: 4, ...shape, steps: 6, resumedFrom: 0 })
    const steps = ofType(events, 'step')
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6])
    for (const { loss, learningRate, gradientNorm, examplesPerSecond, secondsLeft, steps: total } of steps) {
      expect(total).toBe(6)
      for (const value of [loss, gradientNorm, examplesPerSecond]) expect(value).toBeGreaterThan(0)
      for (const value of [learningRate, secondsLeft]) expect(value).toBeGreaterThanOrEqual(0)
    }
    expect(ofType(events, 'evaluation')[0]).toEqual({ type: 'evaluation', step: 2, metrics: { accuracy: expect.any(Number) }, best: true })
  })

  test('learns: the loss of the examples falls', async () => {
    const losses = ofType(await collect(tiny.tune({ ...TINY_RUN, steps: 40, batchSize: 6 })), 'step').map((event) => event.loss)
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!)
  })

  test('gives a prompt that knows where it comes from, and a report', async () => {
    const { prompt, report } = await tiny.tune({ ...TINY_RUN, validation, task: 'parity' }).result
    expect(prompt).toMatchObject({ rows: 4, dModel: 48 })
    expect(prompt.metadata).toMatchObject({ fingerprint: tiny.fingerprint, rows: '4', dModel: '48', model: 't5-v1.1', task: 'parity' })
    expect(JSON.parse(prompt.metadata.labels!)).toEqual(['60', '61'])
    expect(JSON.parse(prompt.metadata.training!)).toMatchObject({ preset: 'fast', steps: 6, batchSize: 3, seed: 7, examples: 6 })
    expect(report).toMatchObject({ steps: 6, bestMetric: 'accuracy', seed: 7, versions: { node: process.versions.node } })
    expect(report.history).toHaveLength(6)
    expect(report.history.find(({ step }) => step === report.bestStep)!.metrics).toEqual(report.metrics)
    expect(report.losses.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6])
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    await tiny.generate([5, 1], { prompt, maxNewTokens: 2 })
  })

  test('the result is the earliest of the best prompts', async () => {
    const options = { ...TINY_RUN, steps: 6, evaluateEvery: 2, validation: [{ input: [5, 1], target: [119, 118, 117, 1] }] }
    const { prompt, report } = await tiny.tune(options).result
    expect(report.history.map(({ metrics }) => metrics.accuracy)).toEqual([0, 0, 0])
    expect(report.bestStep).toBe(2)
    const last = await tiny.tune({ ...TINY_RUN, steps: 6 }).result
    expect(last.report).toMatchObject({ bestStep: 6, bestMetric: null, metrics: {}, history: [] })
    expect(prompt.data).not.toEqual(last.prompt.data)
  })

  test('patience ends it early', async () => {
    const options = { ...TINY_RUN, steps: 100, evaluateEvery: 1, patience: 3, validation: [{ input: [5, 1], target: [119, 118, 117, 1] }] }
    const run = tiny.tune(options)
    const events = await collect(run)
    expect(events.at(-1)).toEqual({ type: 'end', step: 4, bestStep: 1, reason: 'patience' })
    expect((await run.result).report.steps).toBe(4)
  })

  test('the model is not changed by a bit', async () => {
    const before = await tiny.digest()
    await tiny.tune({ ...TINY_RUN, steps: 3, dropout: 0.1 }).result
    expect(await tiny.digest()).toBe(before)
  })

  test('same seed, same prompt to the bit; another seed, another prompt', async () => {
    const options = { ...TINY_RUN, dropout: 0.1, validation }
    const [a, b] = [await tiny.tune(options).result, await tiny.tune(options).result]
    expect(Buffer.from(a.prompt.data.buffer).equals(Buffer.from(b.prompt.data.buffer))).toBe(true)
    expect(a.prompt.metadata).toEqual(b.prompt.metadata)
    expect((await tiny.tune({ ...options, seed: 8 }).result).prompt.data).not.toEqual(a.prompt.data)
  })

  test('text, labels, files and iterables', async () => {
    const nano = await load(NANO)
    const path = join(folder, 'train.jsonl')
    const rows = snips('train', 8)
    writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
    const labels = ['music', 'weather']
    const options = { prompt: { length: 5, init: { labels } }, steps: 2, batchSize: 4 }
    const fromFile = await nano.tune({ ...options, train: path }).result
    async function* later() {
      yield* rows
    }
    const fromIterable = await nano.tune({ ...options, train: later() }).result
    expect(fromFile.prompt.data).toEqual(fromIterable.prompt.data)
    expect(JSON.parse(fromFile.prompt.metadata.labels!)).toEqual(labels)
    const path2 = join(folder, 'snips.safetensors')
    await fromFile.prompt.save(path2)
    const loaded = await SoftPrompt.load(path2)
    expect(await nano.generate('x', { prompt: loaded, maxNewTokens: 4 })).toEqual(
      await nano.generate('x', { prompt: fromFile.prompt, maxNewTokens: 4 }),
    )
    expect(await failure(tiny.generate([5], { prompt: loaded }))).toMatchObject({ code: 'PROMPT_WIDTH' })
  })

  test('goes on from a prompt', async () => {
    const start = wavyPrompt(4, 48)
    const options = { train: TINY_EXAMPLES, steps: 1, batchSize: 6, optimizer: { name: 'adamw', learningRate: 1e-9 } as const }
    for (const prompt of [start, { init: { prompt: start } }]) {
      const { data } = (await tiny.tune({ ...options, prompt }).result).prompt
      data.forEach((value, i) => {
        expect(value).toBeCloseTo(start.data[i]!, 5)
      })
    }
    const foreign = wavyPrompt(4, 48, { fingerprint: '0'.repeat(64) })
    expect(await failure(tiny.tune({ ...options, prompt: foreign }).result)).toMatchObject({ code: 'PROMPT_MODEL' })
  })
})

describe('checkpoints', () => {
  const options = { ...TINY_RUN, steps: 9, validation, evaluateEvery: 4, dropout: 0.1 }

  test('a resumed run is one that was never interrupted', async () => {
    const whole = await tiny.tune(options).result
    for (const stopAt of [2, 4, 5, 8]) {
      const path = join(folder, `resume-${stopAt}.ckpt`)
      const controller = new AbortController()
      const run = tiny.tune({ ...options, checkpoint: { path, every: 3 }, signal: controller.signal })
      for await (const event of run) if (event.type === 'step' && event.step === stopAt) controller.abort('stop')
      expect(await failure(run.result)).toBe('stop')
      expect(existsSync(path)).toBe(true)
      const resumed = tiny.tune({ ...options, checkpoint: { path, every: 3 }, resume: true })
      const start = (await collect(resumed))[0] as Extract<TuneEvent, { type: 'start' }>
      expect(start.resumedFrom).toBeGreaterThanOrEqual(stopAt)
      const { prompt, report } = await resumed.result
      expect(prompt.data).toEqual(whole.prompt.data)
      expect(prompt.metadata).toEqual(whole.prompt.metadata)
      expect(report).toMatchObject({ bestStep: whole.report.bestStep, history: whole.report.history, losses: whole.report.losses })
    }
  })

  test('a finished run resumes to its result', async () => {
    const path = join(folder, 'finished.ckpt')
    const first = await tiny.tune({ ...options, checkpoint: { path } }).result
    const events = await collect(tiny.tune({ ...options, checkpoint: { path }, resume: true }))
    expect(events.map(({ type }) => type)).toEqual(['start', 'end'])
    expect((await tiny.tune({ ...options, checkpoint: { path }, resume: true }).result).prompt.data).toEqual(first.prompt.data)
  })

  test('they are told, written on time, and not read unless asked', async () => {
    const path = join(folder, 'told.ckpt')
    const run = tiny.tune({ ...options, checkpoint: { path, every: 4 }, resume: true })
    expect(ofType(await collect(run), 'checkpoint')).toEqual([4, 8, 9].map((step) => ({ type: 'checkpoint', step, path })))
    const again = await collect(tiny.tune({ ...options, steps: 2, checkpoint: { path } }))
    expect(again[0]).toMatchObject({ resumedFrom: 0 })
  })

  test('of another run, broken, or at a path that cannot be written', async () => {
    const path = join(folder, 'other.ckpt')
    await tiny.tune({ ...options, checkpoint: { path } }).result
    const other = { ...options, train: TINY_EXAMPLES.slice(1), checkpoint: { path }, resume: true }
    expect(await failure(tiny.tune(other).result)).toMatchObject({ code: 'CHECKPOINT_MISMATCH', message: expect.stringContaining(path) })
    writeFileSync(path, 'garbage')
    expect(await failure(tiny.tune({ ...options, checkpoint: { path }, resume: true }).result)).toMatchObject({
      code: 'CHECKPOINT_INVALID',
    })
    expect(readFileSync(path, 'utf8')).toBe('garbage')
    for (const bad of [join(folder, 'missing', 'x.ckpt'), folder, join(path, 'x.ckpt')]) {
      const run = tiny.tune({ ...options, train: 'not-even-read.jsonl', checkpoint: { path: bad } })
      expect(await collect(run)).toEqual([])
      expect(await failure(run.result)).toMatchObject({ code: 'FILE_NOT_WRITABLE', message: expect.stringContaining(bad) })
    }
  })
})

describe('stopping', () => {
  const endless = { ...TINY_RUN, steps: 1_000_000 }

  test("an abort rejects with the signal's reason, which carries what was learned", async () => {
    const controller = new AbortController()
    const run = tiny.tune({ ...endless, validation, evaluateEvery: 2, signal: controller.signal })
    const reason = new Error('enough')
    for await (const event of run) if (event.type === 'step' && event.step >= 5) controller.abort(reason)
    const error = await failure(run.result)
    expect(error).toBe(reason)
    const { prompt, report } = partialOf(error)
    expect(prompt).toBeInstanceOf(SoftPrompt)
    expect(report.steps).toBeGreaterThanOrEqual(5)
    expect(report.history.map(({ step }) => step)).toContain(report.bestStep)
    await tiny.generate([5], { prompt, maxNewTokens: 2 })
  })

  test('without validation data the partial prompt is the last', async () => {
    const run = tiny.tune(endless)
    for await (const event of run) if (event.type === 'step' && event.step === 3) run.abort()
    const error = await failure(run.result)
    expect(error.name).toBe('AbortError')
    const { prompt, report } = partialOf(error)
    expect(report.bestStep).toBe(report.steps)
    const straight = await tiny.tune({ ...TINY_RUN, optimizer: { name: 'adamw' }, steps: 4 }).result
    const partial = tiny.tune({ ...endless, optimizer: { name: 'adamw' } })
    for await (const event of partial) if (event.type === 'step' && event.step === 4) partial.abort()
    const stopped = partialOf(await failure(partial.result))
    if (stopped.report.steps === 4) expect(stopped.prompt.data).toEqual(straight.prompt.data)
    expect(prompt.rows).toBe(4)
  })

  test('an aborted signal, before anything is read', async () => {
    const reason = { why: 'no' }
    const run = tiny.tune({ train: 'nowhere.jsonl', signal: AbortSignal.abort(reason) })
    expect(await collect(run)).toEqual([])
    expect(await failure(run.result)).toBe(reason)
  })

  test('breaking out of the loop stops the events and not the run', async () => {
    const run = tiny.tune(TINY_RUN)
    for await (const event of run) if (event.type === 'step') break
    expect((await run.result).report.steps).toBe(6)
  })

  test('generate is served while a run goes on', async () => {
    const run = tiny.tune(endless)
    const seen: StepEvent[] = []
    for await (const event of run) {
      if (event.type !== 'step') continue
      seen.push(event)
      if (seen.length === 2) break
    }
    expect((await tiny.generate([5, 1], { maxNewTokens: 3 })).tokens.length).toBeGreaterThan(0)
    run.abort(new Error('done'))
    expect((await failure(run.result)).message).toBe('done')
  })

  test('a disposed model ends the run', async () => {
    const t5 = await T5.load(TINY, { threads: 1 })
    const run = t5.tune(endless)
    for await (const event of run) if (event.type === 'step') void t5.dispose()
    expect(await failure(run.result)).toMatchObject({ code: 'MODEL_DISPOSED' })
  })
})

describe('what is wrong is told by result alone', () => {
  test.each<[string, string, unknown]>([
    ['OPTION_INVALID', "Did you mean 'steps'?", { ...TINY_RUN, step: 1 }],
    ['DATA_EMPTY', '', { ...TINY_RUN, train: [] }],
    ['DATA_EMPTY', '', { ...TINY_RUN, validation: [] }],
    ['DATA_TARGET_EMPTY', 'Row 1', { ...TINY_RUN, train: [TINY_EXAMPLES[0], { input: [5] }] }],
    ['DATA_FILE_NOT_FOUND', 'nowhere.jsonl', { ...TINY_RUN, train: 'nowhere.jsonl' }],
    ['TOKEN_OUT_OF_RANGE', 'Row 0', { ...TINY_RUN, train: [{ input: [120], target: [1] }] }],
    ['TOKENIZER_MISSING', 'Row 0', { ...TINY_RUN, train: [{ input: 'text', target: [1] }] }],
    ['TOKENIZER_MISSING', 'prompt.init', { ...TINY_RUN, prompt: { init: { labels: ['a'] } } }],
    ['PROMPT_WIDTH', '8 wide', { ...TINY_RUN, prompt: wavyPrompt(2, 8) }],
    ['OPTION_INVALID', 'acuracy', { ...TINY_RUN, train: 'not-even-read.jsonl', validation, metrics: ['acuracy'] }],
  ])('%s: %s', async (code, message, options) => {
    const run = tiny.tune(options as never)
    const [events, error] = await Promise.all([collect(run), failure(run.result)])
    expect(events).toEqual([])
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(error.stack).toContain('tune.test.ts')
  })
})

test('with a sentinel, targets begin with <extra_id_0>, which is not in the text of outputs', async () => {
  const t5 = await load(NANO)
  const [example] = snips('train', 1)
  const options = { train: [example!], steps: 80, batchSize: 1, prompt: { length: 20 }, learningRate: 1, sentinel: true }
  const { prompt, report } = await t5.tune(options).result
  expect(report.options.sentinel).toBe(true)
  const { text, tokens } = await t5.generate(example!.input, { prompt })
  expect(tokens[0]).toBe(t5.tokenizer!.pieceToId('<extra_id_0>'))
  expect(text).toBe(example!.target)
  const tiny = await load(TINY)
  expect(await failure(tiny.tune({ ...TINY_RUN, sentinel: true }).result)).toMatchObject({ code: 'OPTION_INVALID' })
})
