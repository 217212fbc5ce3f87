import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type RunOptions, SoftPrompt, type T5, type TuneEvent, type TuneOptions, type TuneResult } from '../../src/index.js'
import { collect, failure, load, TINY, TINY_EXAMPLES, TINY_RUN, temporaryFolder, wavyPrompt } from './helpers.js'

const folder = temporaryFolder()
let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

const validation = TINY_EXAMPLES.slice(0, 4)
const ofType = <T extends TuneEvent['type']>(events: TuneEvent[], type: T) =>
  events.filter((event) => event.type === type) as Extract<TuneEvent, { type: T }>[]
/** As large as trained ones are: rounding stays small. */
const large = (rows: number) => {
  const { data } = wavyPrompt(rows, 48)
  return {
    init: {
      prompt: SoftPrompt.fromArray(
        data.map((value) => 100 * value),
        { rows, dModel: 48 },
      ),
    },
  }
}
const RUNS: RunOptions[] = [
  { seed: 1, ...large(4) },
  { seed: 2, learningRate: 0.3, ...large(6) },
  { seed: 3, ...large(5) },
]

function distance(a: SoftPrompt, b: SoftPrompt): number {
  return Math.sqrt(a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0))
}

describe('several runs', () => {
  test('tell of a step together: one speed, measured once', async () => {
    const run = tiny.tune({ ...TINY_RUN, runs: RUNS, steps: 20 })
    const events = ofType(await collect(run), 'step')
    const { pace } = (await run.result).report
    expect(pace.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    for (const { step } of pace) {
      const told = events.filter((event) => event.step === step)
      expect(told.map(({ run }) => run)).toEqual([0, 1, 2])
      expect(new Set(told.map(({ examplesPerSecond }) => examplesPerSecond)).size).toBe(1)
    }
  })

  test.each([0, 0.1])('are what each would have been alone with the same batches (dropout %d)', async (dropout) => {
    const options: TuneOptions = { ...TINY_RUN, steps: 1, dropout, optimizer: { name: 'adafactor' } }
    const { runs } = await tiny.tune({ ...options, runs: RUNS }).result
    expect(runs.map(({ prompt }) => prompt.rows)).toEqual([4, 6, 5])
    for (const [i, run] of RUNS.entries()) {
      const alone = await tiny.tune({ ...options, runs: [run] }).result
      const start = await tiny.tune({ ...options, runs: [{ ...run, learningRate: 1e-12 }] }).result
      expect(distance(runs[i]!.prompt, alone.prompt)).toBeLessThan(1e-5 * distance(start.prompt, alone.prompt))
      expect(runs[i]!.report.losses[0]!.loss).toBeCloseTo(alone.report.losses[0]!.loss, 5)
      expect(runs[i]!.prompt.metadata).toEqual(alone.prompt.metadata)
    }
  })

  test("a run of the call's own seed is the call itself, to the bit", async () => {
    const options = { ...TINY_RUN, dropout: 0.1, validation }
    const [plain, one] = [await tiny.tune(options).result, await tiny.tune({ ...options, runs: [{}] }).result]
    expect(one.prompt.data).toEqual(plain.prompt.data)
    expect(one.prompt.metadata).toEqual(plain.prompt.metadata)
    expect(plain.runs).toEqual([{ prompt: plain.prompt, report: plain.report }])
  })

  test('the result is the best of them, and the events name their run', async () => {
    let calls = 0
    const byRun = { name: 'byRun', compute: () => [0.1, 0.3, 0.2][calls++ % 3]! }
    const run = tiny.tune({ ...TINY_RUN, steps: 2, validation, evaluateEvery: 1, metrics: [byRun], runs: RUNS })
    const events = await collect(run)
    expect(events[0]).toMatchObject({ type: 'start', runs: 3, promptRows: 6, parameters: (4 + 6 + 5) * 48 })
    expect(ofType(events, 'step').map(({ step, run }) => [step, run])).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
      [2, 0],
      [2, 1],
      [2, 2],
    ])
    expect(ofType(events, 'evaluation').map(({ step, run }) => [step, run])).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
      [2, 0],
      [2, 1],
      [2, 2],
    ])
    expect(ofType(events, 'runEnd').map(({ run, reason }) => [run, reason])).toEqual([
      [0, 'steps'],
      [1, 'steps'],
      [2, 'steps'],
    ])
    expect(events.at(-1)).toEqual({ type: 'end', run: 1, step: 2, bestStep: 1, reason: 'steps' })
    const result = await run.result
    expect(result.prompt).toBe(result.runs[1]!.prompt)
    expect(result.report).toBe(result.runs[1]!.report)
    expect(result.runs.map(({ report }) => report.metrics)).toEqual([{ byRun: 0.1 }, { byRun: 0.3 }, { byRun: 0.2 }])
    expect(result.runs.map(({ report }) => report.seed)).toEqual([1, 2, 3])
    expect(result.report.options).toMatchObject({ seed: 2, batchSeed: 7, length: 6, optimizer: { learningRate: 0.3 } })
    expect(JSON.parse(JSON.stringify(result.report))).toEqual(result.report)
  })

  test('without validation data the best has the lowest training loss', async () => {
    const { report, runs } = await tiny.tune({ ...TINY_RUN, steps: 30, runs: [{ learningRate: 1e-9 }, {}] }).result
    expect(report).toBe(runs[1]!.report)
    expect(report.losses.at(-1)!.loss).toBeLessThan(runs[0]!.report.losses.at(-1)!.loss)
  })

  // What the evaluations of runs 0 and 1 give, in their order; run 0 gets worse at step 4 and leaves.
  const values = [1, 1, 0.5, 2, 3, 4, 5]
  const early = (calls = 0): TuneOptions => ({
    ...{ ...TINY_RUN, steps: 10, validation, evaluateEvery: 2, patience: 1, dropout: 0.1, runs: [{ seed: 4 }, { seed: 5, length: 2 }] },
    metrics: [{ name: 'scripted', compute: () => values[calls++]! }],
  })

  test('one that stops early leaves, and the others go on', async () => {
    const run = tiny.tune(early())
    const events = await collect(run)
    expect(ofType(events, 'runEnd')).toEqual([
      { type: 'runEnd', run: 0, step: 4, bestStep: 2, reason: 'patience' },
      { type: 'runEnd', run: 1, step: 10, bestStep: 10, reason: 'steps' },
    ])
    expect(ofType(events, 'step').filter(({ run }) => run === 0)).toHaveLength(4)
    const { runs } = await run.result
    expect(runs.map(({ report }) => [report.steps, report.bestStep, report.stopped])).toEqual([
      [4, 2, 'patience'],
      [10, 10, 'steps'],
    ])
  })

  test('resumed, they are what they would have been', async () => {
    const whole = await tiny.tune(early()).result
    for (const [stopAt, evaluated] of [
      [3, 2],
      [4, 4],
      [7, 5],
    ] as const) {
      const path = join(folder, `runs-${stopAt}.ckpt`)
      const checkpoint = { path, every: 1 }
      const run = tiny.tune({ ...early(), checkpoint })
      for await (const event of run) if (event.type === 'checkpoint' && event.step === stopAt) run.abort('stop')
      expect(await failure(run.result)).toBe('stop')
      const resumed: TuneResult = await tiny.tune({ ...early(evaluated), checkpoint, resume: true }).result
      for (const i of [0, 1]) {
        const [a, b] = [resumed.runs[i]!, whole.runs[i]!]
        expect(a.prompt.data).toEqual(b.prompt.data)
        expect(a.report).toMatchObject({
          steps: b.report.steps,
          history: b.report.history,
          losses: b.report.losses,
          stopped: b.report.stopped,
        })
      }
    }
  })

  test('a checkpoint of other runs is refused', async () => {
    const checkpoint = { path: join(folder, 'others.ckpt') }
    await tiny.tune({ ...TINY_RUN, runs: [{ seed: 1 }, { seed: 2 }], checkpoint }).result
    const error = await failure(tiny.tune({ ...TINY_RUN, runs: [{ seed: 1 }, { seed: 3 }], checkpoint, resume: true }).result)
    expect(error).toMatchObject({ code: 'CHECKPOINT_MISMATCH', message: expect.stringContaining('runs[1].promptSeed is 3, was 2') })
  })

  test.each<[string, object]>([
    ["Option 'runs'", { runs: [] }],
    ["Did you mean 'runs[0].seed'?", { runs: [{ sede: 1 }] }],
    ["Option 'runs[1].learningRate' is 0", { runs: [{}, { learningRate: 0 }] }],
    ["Option 'microBatchSize' is 0", { microBatchSize: 0 }],
    ["Option 'timeLimit' is 0", { timeLimit: 0 }],
    ["Option 'prompt.init.uniform'", { prompt: { init: { uniform: [1, 0] } } }],
    ["Option 'prompt.init.mean'", { prompt: { init: { mean: [] } } }],
    ['2 x 48 and 3 x 48', { prompt: { init: { mean: [wavyPrompt(2, 48), wavyPrompt(3, 48)] } } }],
    ['2 x 48 and 2 x 8', { prompt: { init: { mean: [wavyPrompt(2, 48), wavyPrompt(2, 8)] } } }],
  ])('wrong options: %s', async (message, wrong) => {
    const error = await failure(tiny.tune({ ...TINY_RUN, ...wrong } as TuneOptions).result)
    expect(error).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining(message) })
  })
})

describe('batches in parts', () => {
  test('learn what the whole batch does', async () => {
    for (const loss of [{ reduction: 'sum', zLoss: 1e-4 }, { reduction: 'mean' }] as const) {
      const options: TuneOptions = { ...TINY_RUN, batchSize: 6, steps: 1, dropout: 0.1, loss, optimizer: { name: 'adamw', epsilon: 1e-4 } }
      const whole = await tiny.tune(options).result
      const start = await tiny.tune({ ...options, optimizer: { name: 'adamw', learningRate: 1e-12 } }).result
      for (const microBatchSize of [1, 4]) {
        const parts = await tiny.tune({ ...options, microBatchSize }).result
        expect(distance(parts.prompt, whole.prompt)).toBeLessThan(1e-5 * distance(start.prompt, whole.prompt))
        expect(parts.report.options.microBatchSize).toBe(microBatchSize)
      }
    }
  })

  test('are part of what a checkpoint is of', async () => {
    const checkpoint = { path: join(folder, 'parts.ckpt') }
    await tiny.tune({ ...TINY_RUN, microBatchSize: 2, checkpoint }).result
    const error = await failure(tiny.tune({ ...TINY_RUN, microBatchSize: 3, checkpoint, resume: true }).result)
    expect(error).toMatchObject({ code: 'CHECKPOINT_MISMATCH', message: expect.stringContaining('microBatchSize is 3, was 2') })
  })
})

describe('where a prompt starts', () => {
  const startOf = async (init: NonNullable<TuneOptions['runs']>[number]['init'], length = 3) =>
    (await tiny.tune({ train: TINY_EXAMPLES, steps: 1, learningRate: 1e-12, prompt: { length, init: init! } }).result).prompt.data

  test('uniform, between the bounds that are given', async () => {
    const [paper, code] = [await startOf('uniform', 40), await startOf({ uniform: [0, 0.5] }, 40)]
    expect(Math.min(...paper)).toBeLessThan(-0.4)
    expect(Math.min(...code)).toBeGreaterThanOrEqual(0)
    for (const data of [paper, code]) expect(Math.max(...data)).toBeLessThan(0.5)
    for (const data of [paper, code]) expect(Math.max(...data)).toBeGreaterThan(0.45)
  })

  test('the mean of several prompts, filled up where it is shorter', async () => {
    const [a, b] = [wavyPrompt(2, 48), wavyPrompt(2, 48, { fingerprint: tiny.fingerprint })]
    b.data.fill(0.25)
    const data = await startOf({ mean: [a, b] })
    for (const i of [0, 7, 95]) expect(data[i]).toBeCloseTo((a.data[i]! + 0.25) / 2, 6)
    expect(data).toHaveLength(3 * 48)
    const foreign = wavyPrompt(2, 48, { fingerprint: '0'.repeat(64) })
    expect(await failure(startOf({ mean: [a, foreign] }))).toMatchObject({ code: 'PROMPT_MODEL' })
  })
})
