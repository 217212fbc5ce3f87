import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { T5, TuneEvent, TuneOptions } from '../../src/index.js'
import { failure, load, TINY, temporaryFolder } from './helpers.js'

const folder = temporaryFolder()
let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

/** Two tasks over the same inputs, with targets of their own. */
const row = (i: number, task: string) => ({ input: [10 + i, 30 + 2 * i, 1], target: [task === 'colour' ? 60 : 70 + (i % 2), 1], task })
const train = Array.from({ length: 6 }, (_, i) => [row(i, 'colour'), row(i, 'size')]).flat()
const options: TuneOptions = {
  ...{ train, steps: 6, batchSize: 4, seed: 7, dropout: 0.1 },
  prompt: { tasks: { colour: { length: 3 }, size: { length: 5, seed: 8 } } },
}

describe('tasks in mixed batches', () => {
  test('a prompt each, from their own rows', async () => {
    const run = tiny.tune({ ...options, validation: train, evaluateEvery: 3 })
    const events: TuneEvent[] = []
    for await (const event of run) events.push(event)
    expect(events[0]).toMatchObject({ type: 'start', runs: 2, promptRows: 5, parameters: 8 * 48 })
    const { prompt, report, runs } = await run.result
    expect(runs.map(({ task, prompt }) => [task, prompt.rows, prompt.metadata.task])).toEqual([
      ['colour', 3, 'colour'],
      ['size', 5, 'size'],
    ])
    expect(prompt).toBe(runs[0]!.prompt)
    expect(report).toBe(runs[0]!.report)
    expect(runs.map(({ prompt }) => JSON.parse(prompt.metadata.training!).examples)).toEqual([6, 6])
    const examples = events.filter((event) => event.type === 'evaluation').map(({ run, step }) => [step, run])
    expect(examples).toEqual([
      [3, 0],
      [3, 1],
      [6, 0],
      [6, 1],
    ])
  })

  test('with all rows in each batch, each is what it would have been alone with its own', async () => {
    const whole: TuneOptions = { ...options, steps: 1, batchSize: 12, shuffle: false, optimizer: { name: 'adamw', epsilon: 1e-2 } }
    const { runs } = await tiny.tune(whole).result
    for (const [i, task] of ['colour', 'size'].entries()) {
      const own = { ...whole, train: train.filter((one) => one.task === task), batchSize: 6, prompt: undefined }
      const alone = await tiny.tune({ ...own, runs: [{ length: [3, 5][i]!, ...(i === 1 && { seed: 8 }) }] }).result
      expect(runs[i]!.report.losses[0]!.loss).toBeCloseTo(alone.report.losses[0]!.loss, 4)
      runs[i]!.prompt.data.forEach((value, j) => {
        expect(value).toBeCloseTo(alone.prompt.data[j]!, 3)
      })
    }
  })

  test('a shared part stands in front of each', async () => {
    const prompt = { tasks: { colour: { length: 3 }, size: { length: 5 } }, shared: 2 }
    const { runs } = await tiny.tune({ ...options, prompt }).result
    const [colour, size] = runs.map((run) => run.prompt)
    expect([colour!.rows, size!.rows]).toEqual([5, 7])
    expect(colour!.data.slice(0, 2 * 48)).toEqual(size!.data.slice(0, 2 * 48))
    expect(runs[0]!.report.options).toMatchObject({ length: 3, sharedLength: 2, init: { shared: 'vocabulary', own: 'vocabulary' } })
    expect(colour!.metadata.rows).toBe('5')
    await tiny.generate([5, 1], { prompt: colour!, maxNewTokens: 2 })
    expect((await tiny.explain(colour!)).from).toBeNull()
  })

  test('resumed, they are what they would have been', async () => {
    const prompt = { tasks: { colour: {}, size: { length: 5 } }, shared: { length: 2, learningRate: 0.5 } }
    const whole = await tiny.tune({ ...options, prompt, validation: train, evaluateEvery: 2 }).result
    const checkpoint = { path: join(folder, 'tasks.ckpt'), every: 1 }
    const run = tiny.tune({ ...options, prompt, validation: train, evaluateEvery: 2, checkpoint })
    for await (const event of run) if (event.type === 'checkpoint' && event.step === 3) run.abort('stop')
    expect(await failure(run.result)).toBe('stop')
    const resumed = await tiny.tune({ ...options, prompt, validation: train, evaluateEvery: 2, checkpoint, resume: true }).result
    for (const i of [0, 1]) {
      expect(resumed.runs[i]!.prompt.data).toEqual(whole.runs[i]!.prompt.data)
      expect(resumed.runs[i]!.report).toMatchObject({ history: whole.runs[i]!.report.history, losses: whole.runs[i]!.report.losses })
    }
  })

  test('a batch may have no row of a task', async () => {
    const rare = [...Array.from({ length: 7 }, (_, i) => row(i, 'colour')), row(0, 'size')]
    const { runs } = await tiny.tune({ ...options, train: rare, batchSize: 1, steps: 8, shuffle: false }).result
    expect(runs.map(({ report }) => report.losses.length)).toEqual([7, 1])
    expect(runs.map(({ report }) => report.steps)).toEqual([8, 8])
  })

  test.each<[string, string, object]>([
    ['DATA_ROW_INVALID', 'the row has the task "size", but the tasks are "colour"', { prompt: { tasks: { colour: {} } } }],
    ['DATA_ROW_INVALID', 'the row has no "task"', { train: [{ input: [5, 1], target: [6, 1] }] }],
    ['DATA_EMPTY', 'training set has no row of the task "shape"', { prompt: { tasks: { colour: {}, size: {}, shape: {} } } }],
    ['DATA_EMPTY', 'validation set has no row of the task "size"', { validation: [row(0, 'colour')] }],
    ['OPTION_INVALID', "Option 'prompt.tasks'", { prompt: { tasks: {} } }],
    ['OPTION_INVALID', "Did you mean 'prompt.tasks.colour.length'?", { prompt: { tasks: { colour: { lenght: 3 } } } }],
    ['OPTION_INVALID', "Option 'prompt.shared' is 0", { prompt: { tasks: { colour: {} }, shared: 0 } }],
    ['OPTION_INVALID', "'runs' and 'prompt.tasks'", { runs: [{}] }],
  ])('%s: %s', async (code, message, wrong) => {
    const error = await failure(tiny.tune({ ...options, ...wrong } as TuneOptions).result)
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})
