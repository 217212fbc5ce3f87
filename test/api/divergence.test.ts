import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { T5, TuneEvent, TuneOptions } from '../../src/index.js'
import { LossWatch } from '../../src/tune/losses.js'
import { collect, failure, load, TINY, TINY_EXAMPLES, TINY_RUN, temporaryFolder } from './helpers.js'

const folder = temporaryFolder()
let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

const validation = TINY_EXAMPLES.slice(0, 4)
/** Fails at once: an update of this size is no float32. */
const exploding: TuneOptions = { ...TINY_RUN, optimizer: { name: 'adafactor', learningRate: 1e39 } }
const ofType = <T extends TuneEvent['type']>(events: TuneEvent[], type: T) =>
  events.filter((event) => event.type === type) as Extract<TuneEvent, { type: T }>[]

describe('numbers that are not finite', () => {
  test('fail the call, with what to try, unless it is told otherwise', async () => {
    const error = await failure(tiny.tune(exploding).result)
    expect(error).toMatchObject({ code: 'TUNE_DIVERGED', message: expect.stringMatching(/at step 1 .*try a learning rate a tenth/) })
  })

  test("'stop': the result is the best prompt until then, here the first", async () => {
    const run = tiny.tune({ ...exploding, validation, onDivergence: 'stop' })
    const events = await collect(run)
    const { prompt, report } = await run.result
    expect(report).toMatchObject({ steps: 0, bestStep: 0, stopped: 'diverged', history: [] })
    expect(report.divergences).toEqual([{ step: 0, rateFactor: null, what: expect.stringContaining('try a learning rate') }])
    expect(ofType(events, 'divergence')).toEqual([{ type: 'divergence', ...report.divergences[0] }])
    expect(events.at(-1)).toEqual({ type: 'end', step: 0, bestStep: 0, reason: 'diverged' })
    const start = await tiny.tune({ ...TINY_RUN, steps: 1, learningRate: 1e-12 }).result
    prompt.data.forEach((value, i) => {
      expect(value).toBeCloseTo(start.prompt.data[i]!, 6)
    })
  })

  test("'lowerRate': goes on from the best prompt at a tenth of the rate", async () => {
    const options: TuneOptions = { ...exploding, steps: 4, onDivergence: 'lowerRate' }
    const run = tiny.tune({ ...options, optimizer: { name: 'adafactor', learningRate: 1e40 } })
    const events = await collect(run)
    const { report } = await run.result
    expect(report).toMatchObject({ stopped: 'steps', steps: 4 })
    const factors = report.divergences.map(({ rateFactor }) => rateFactor!)
    expect(factors.length).toBeGreaterThanOrEqual(2)
    factors.forEach((factor, i) => {
      expect(factor).toBeCloseTo(0.1 ** (i + 1), 10)
    })
    expect(ofType(events, 'step')[0]!.learningRate).toBeCloseTo(1e40 * factors.at(-1)!, -35)
  })

  test("'lowerRate' gives up after three times", async () => {
    const options: TuneOptions = { ...TINY_RUN, onDivergence: 'lowerRate', optimizer: { name: 'adafactor', learningRate: 1e60 } }
    const { report, prompt } = await tiny.tune(options).result
    expect(report.stopped).toBe('diverged')
    expect(report.divergences.map(({ rateFactor }) => rateFactor === null)).toEqual([false, false, false, true])
    expect(prompt.data.every(Number.isFinite)).toBe(true)
  })

  test('of several runs, one leaves and the others go on; where none is left, the call fails', async () => {
    const options: TuneOptions = { ...TINY_RUN, optimizer: { name: 'adafactor', learningRate: 0.3 } }
    const { report, runs } = await tiny.tune({ ...options, runs: [{ learningRate: 1e39 }, {}] }).result
    expect(runs.map((run) => run.report.stopped)).toEqual(['diverged', 'steps'])
    expect(report).toBe(runs[1]!.report)
    const alone = await tiny.tune({ ...options, runs: [{}] }).result
    runs[1]!.prompt.data.forEach((value, i) => {
      expect(value).toBeCloseTo(alone.prompt.data[i]!, 2)
    })
    expect(await failure(tiny.tune({ ...options, runs: [{ learningRate: 1e39 }, { learningRate: 1e39 }] }).result)).toMatchObject({
      code: 'TUNE_DIVERGED',
    })
  })

  test('tasks that share rows go back together, to one moment, and all at the lower rate', async () => {
    const train = TINY_EXAMPLES.map((example, i) => ({ ...example, task: i % 2 ? 'a' : 'b' }))
    const tasks = { ...TINY_RUN, train, steps: 4, batchSize: 6, onDivergence: 'lowerRate' } satisfies TuneOptions
    const prompt = { tasks: { a: { length: 2 }, b: { length: 2, learningRate: 1e39 } }, shared: { length: 3, learningRate: 0.3 } }
    const run = tiny.tune({ ...tasks, prompt, optimizer: { name: 'adafactor', learningRate: 0.3 } })
    const events = await collect(run)
    const { runs } = await run.result
    expect(runs.map(({ report }) => report.divergences.length)).toEqual([0, 1])
    const shared = runs.map((one) => one.prompt.data.slice(0, 3 * 48))
    expect(shared[0]).toEqual(shared[1])
    // The step that b did not take was taken by a, and is forgotten: from the first prompt on, all learn at a tenth.
    const rates = ofType(events, 'step').map(({ run, step, learningRate }) => [run, step, learningRate])
    expect(rates.filter(([run]) => run === 0)).toEqual([
      [0, 1, 0.3],
      [0, 2, expect.closeTo(0.03, 10)],
      [0, 3, expect.closeTo(0.03, 10)],
      [0, 4, expect.closeTo(0.03, 10)],
    ])
    const { losses } = runs[0]!.report
    expect(losses[1]!.loss).toBeCloseTo(losses[0]!.loss, 5)
  })

  test('resumed, a run that was set back does what it would have done', async () => {
    const options: TuneOptions = { ...TINY_RUN, onDivergence: 'lowerRate', optimizer: { name: 'adafactor', learningRate: 1e39 }, steps: 5 }
    const whole = await tiny.tune(options).result
    const checkpoint = { path: join(folder, 'back.ckpt'), every: 2 }
    const run = tiny.tune({ ...options, checkpoint })
    for await (const event of run) if (event.type === 'checkpoint' && event.step === 2) run.abort('stop')
    expect(await failure(run.result)).toBe('stop')
    const resumed = await tiny.tune({ ...options, checkpoint, resume: true }).result
    expect(resumed.prompt.data).toEqual(whole.prompt.data)
    expect(resumed.report.divergences).toEqual(whole.report.divergences)
  })
})

describe('a loss that keeps rising', () => {
  const verdicts = (...means: number[]) => {
    const watch = new LossWatch()
    return means.map((mean) => {
      watch.add(mean)
      return watch.close().isRising
    })
  }

  test('is twice the lowest, and a nat above it, two windows in a row', () => {
    expect(verdicts(4, 3, 7, 7)).toEqual([false, false, false, true])
    expect(verdicts(4, 3, 7, 3.5, 7, 5.9, 7, 8)).toEqual([false, false, false, false, false, false, false, true])
    expect(verdicts(0.1, 0.9, 1.0)).toEqual([false, false, false])
    expect(verdicts(9, 9, 9, 1, 9)).toEqual([false, false, false, false, false])
  })

  // The schedule's rate grows a thousandfold, after what a small one has learned.
  const rising: TuneOptions = {
    ...{ ...TINY_RUN, batchSize: 6, steps: 400 },
    optimizer: { name: 'adamw', learningRate: 500, warmupSteps: 400 },
  }

  test('stops the run, whose prompt is that of the lowest losses', async () => {
    const { report } = await tiny.tune({ ...rising, onDivergence: 'stop' }).result
    const what = report.divergences[0]?.what
    expect(what).toMatch(/^The loss keeps rising: .*try a learning rate/)
    expect(report).toMatchObject({ stopped: 'diverged' })
    expect(report.bestStep).toBeLessThan(report.steps)
    expect(report.steps % 10).toBe(0)
  })

  test('is no concern of a run that was not told to watch', async () => {
    const { report } = await tiny.tune(rising).result
    expect(report).toMatchObject({ stopped: 'steps', divergences: [] })
  })
})

describe('timeLimit', () => {
  test('stops the training, evaluates once more, and keeps the best', async () => {
    const options: TuneOptions = { ...TINY_RUN, steps: 1_000_000, validation, timeLimit: 0.3 }
    const run = tiny.tune({ ...options, checkpoint: { path: join(folder, 'limit.ckpt') } })
    const events = await collect(run)
    const { report } = await run.result
    expect(report.stopped).toBe('timeLimit')
    expect(report.steps).toBeGreaterThan(0)
    expect(report.steps).toBeLessThan(1_000_000)
    expect(report.history.map(({ step }) => step)).toEqual([report.steps])
    expect(events.at(-1)).toEqual({ type: 'end', step: report.steps, bestStep: report.steps, reason: 'timeLimit' })
    expect(report.options.timeLimit).toBe(0.3)
    const resumed = tiny.tune({ ...options, checkpoint: { path: join(folder, 'limit.ckpt') }, resume: true })
    expect((await collect(resumed))[0]).toMatchObject({ resumedFrom: report.steps })
    expect((await resumed.result).report.steps).toBeGreaterThan(report.steps)
  })

  test('one that is not reached changes nothing', async () => {
    const [limited, plain] = [await tiny.tune({ ...TINY_RUN, timeLimit: 3600 }).result, await tiny.tune(TINY_RUN).result]
    expect(limited.prompt.data).toEqual(plain.prompt.data)
    expect(limited.report.stopped).toBe('steps')
  })
})

describe('a checkpoint is one run’s at a time', () => {
  test('another run on it is refused, until the first has ended', async () => {
    const path = join(folder, 'mine.ckpt')
    const first = tiny.tune({ ...TINY_RUN, steps: 1_000_000, checkpoint: { path, every: 1 } })
    for await (const event of first) if (event.type === 'checkpoint') break
    const second = { ...TINY_RUN, checkpoint: { path }, resume: true }
    expect(await failure(tiny.tune(second).result)).toMatchObject({ code: 'CHECKPOINT_LOCKED', message: expect.stringContaining(path) })
    first.abort(new Error('enough'))
    expect((await failure(first.result)).message).toBe('enough')
    expect(existsSync(`${path}.lock`)).toBe(false)
    await tiny.tune({ ...TINY_RUN, checkpoint: { path } }).result
    expect(existsSync(`${path}.lock`)).toBe(false)
  })
})
