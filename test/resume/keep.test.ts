import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, test } from 'vitest'
import { SoftPrompt, type T5, type TuneOptions, type TuneReport, type TuneResult } from '../../src/index.js'
import { collect, failure, load, TINY, TINY_EXAMPLES, TINY_RUN, temporaryFolder } from '../api/helpers.js'
import { cli, finished, jsonLines, start } from '../cli/helpers.js'

const folder = temporaryFolder()
let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

const options: TuneOptions = { ...TINY_RUN, steps: 12, evaluateEvery: 1 }
const validation = TINY_EXAMPLES
const inFolder = (start: string) => readdirSync(folder).filter((file) => file.startsWith(start))

/** The steps of the N best evaluations; of equal ones the earliest. */
function bestSteps({ history, bestMetric }: TuneReport, count: number): number[] {
  const ranked = [...history].sort((a, b) => b.metrics[bestMetric!]! - a.metrics[bestMetric!]! || a.step - b.step)
  return ranked.slice(0, count).map(({ step }) => step)
}

describe('keep', () => {
  test('the best prompts stand beside the checkpoint, and nothing else does', async () => {
    const path = join(folder, 'best.ckpt')
    const { prompt, report } = await tiny.tune({ ...options, validation, checkpoint: { path, keep: 3 } }).result
    expect(report.kept!.map(({ step }) => step)).toEqual(bestSteps(report, 3))
    expect(inFolder('best.ckpt').sort()).toEqual(['best.ckpt', ...report.kept!.map(({ step }) => `best.ckpt-${step}.safetensors`)].sort())
    for (const { step, path, metrics } of report.kept!) {
      const kept = await SoftPrompt.load(path)
      expect(JSON.parse(kept.metadata.training!)).toMatchObject({ bestStep: step, validation: metrics })
      expect(metrics).toEqual(report.history.find((one) => one.step === step)!.metrics)
      const measured = await tiny.evaluate({ data: validation, prompt: kept })
      expect(measured.metrics).toEqual(metrics)
    }
    expect((await SoftPrompt.load(report.kept![0]!.path)).data).toEqual(prompt.data)
  })

  test('a metric of which less is better', async () => {
    const path = join(folder, 'least.ckpt')
    const length = {
      name: 'wrong',
      higherIsBetter: false,
      compute: (made: readonly string[], wanted: readonly string[]) => made.filter((text, i) => text !== wanted[i]).length,
    }
    const { report } = await tiny.tune({ ...options, validation, metrics: [length], checkpoint: { path, keep: 2 } }).result
    const least = Math.min(...report.history.map(({ metrics }) => metrics.wrong!))
    expect(report.kept![0]).toMatchObject({ metrics: { wrong: least } })
  })

  test('without validation data the latest checkpoints’ prompts', async () => {
    const path = join(folder, 'latest.ckpt')
    const run = tiny.tune({ ...options, checkpoint: { path, every: 5, keep: 2 } })
    const kept = (await collect(run)).flatMap((event) => (event.type === 'checkpoint' ? [event.kept!.length] : []))
    expect(kept).toEqual([1, 2, 2])
    const { prompt, report } = await run.result
    expect(report.kept!.map(({ step }) => step)).toEqual([12, 10])
    expect(inFolder('latest.ckpt').sort()).toEqual(['latest.ckpt', 'latest.ckpt-10.safetensors', 'latest.ckpt-12.safetensors'])
    expect((await SoftPrompt.load(`${path}-12.safetensors`)).data).toEqual(prompt.data)
  })

  test('of several runs and of tasks, each has its own', async () => {
    const path = join(folder, 'several.ckpt')
    const { runs } = await tiny.tune({ ...options, validation, runs: [{ seed: 1 }, { seed: 2 }], checkpoint: { path, keep: 1 } }).result
    const names = runs.map(({ report }, run) => `several.ckpt-run${run}-${bestSteps(report, 1)[0]}.safetensors`)
    expect(inFolder('several.ckpt-').sort()).toEqual(names.sort())

    const rows = TINY_EXAMPLES.map((example, i) => ({ ...example, task: i % 2 ? 'a/b' : 'c' }))
    const tasks = { ...options, train: rows, prompt: { tasks: { 'a/b': { length: 2 }, c: { length: 3 } } } }
    await tiny.tune({ ...tasks, checkpoint: { path: join(folder, 'tasks.ckpt'), keep: 1 } }).result
    expect(inFolder('tasks.ckpt-').sort()).toEqual(['tasks.ckpt-a%2Fb-12.safetensors', 'tasks.ckpt-c-12.safetensors'])
    expect((await SoftPrompt.load(join(folder, 'tasks.ckpt-c-12.safetensors'))).rows).toBe(3)
  })

  test('resumed with another number, there are so many', async () => {
    const checkpoint = { path: join(folder, 'fewer.ckpt'), every: 2 }
    await tiny.tune({ ...options, optimizer: { name: 'adafactor' }, steps: 8, checkpoint: { ...checkpoint, keep: 3 } }).result
    expect(inFolder('fewer.ckpt-')).toHaveLength(3)
    const longer = { ...options, optimizer: { name: 'adafactor' } as const, steps: 10, resume: true }
    const { report } = await tiny.tune({ ...longer, checkpoint: { ...checkpoint, keep: 2 } }).result
    expect(report.kept!.map(({ step }) => step)).toEqual([10, 8])
    expect(inFolder('fewer.ckpt-').sort()).toEqual(['fewer.ckpt-10.safetensors', 'fewer.ckpt-8.safetensors'])
  })

  test('files that are gone already do no harm, and without it nothing is kept', async () => {
    const path = join(folder, 'gone.ckpt')
    const run = tiny.tune({ ...options, checkpoint: { path, every: 1, keep: 1 } })
    for await (const event of run) if (event.type === 'checkpoint') for (const file of event.kept!) rmSync(file, { force: true })
    expect((await run.result).report.kept).toHaveLength(1)
    const { report } = await tiny.tune({ ...options, checkpoint: { path: join(folder, 'none.ckpt') } }).result
    expect(report.kept).toBeUndefined()
    expect(inFolder('none.ckpt')).toEqual(['none.ckpt'])
  })

  test('a folder that is gone is told by its file, and what was learned is kept', async () => {
    const gone = join(folder, 'gone')
    mkdirSync(gone)
    const run = tiny.tune({
      ...options,
      steps: 1_000_000,
      optimizer: { name: 'adafactor' },
      validation,
      checkpoint: { path: join(gone, 'run.ckpt'), every: 100, keep: 1000 },
    })
    for await (const event of run) if (event.type === 'evaluation' && event.step === 3) break
    rmSync(gone, { recursive: true })
    const error = await failure(run.result)
    expect(error).toMatchObject({ code: 'FILE_WRITE', message: expect.stringContaining(join(gone, 'run.ckpt-')) })
    expect((error.partial as TuneResult).report.steps).toBeGreaterThanOrEqual(3)
  })

  test.each([0, 1.5, Number.NaN, '3'])('%s is no number of prompts', async (keep) => {
    const error = await failure(tiny.tune({ ...options, checkpoint: { path: join(folder, 'x.ckpt'), keep: keep as number } }).result)
    expect(error).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining("'checkpoint.keep'") })
  })

  test('the command line names the files', async () => {
    const data = join(folder, 'rows.jsonl')
    writeFileSync(data, TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))
    const path = join(folder, 'cli.ckpt')
    const run = [
      'tune',
      '--model',
      TINY,
      '--train',
      data,
      '--steps',
      '4',
      '--length',
      '2',
      '--batch-size',
      '2',
      '--out',
      join(folder, 'cli.safetensors'),
    ]
    const { code, stdout } = await cli([...run, '--checkpoint', path, '--checkpoint-every', '1', '--keep', '2'])
    expect(code).toBe(0)
    expect(stdout).toContain(`kept ${path}-4.safetensors, ${path}-3.safetensors\n`)
  })

  test('on the command line it needs a checkpoint', async () => {
    const { code, stderr } = await cli([
      'tune',
      '--model',
      TINY,
      '--train',
      'x.jsonl',
      '--out',
      join(folder, 'x.safetensors'),
      '--keep',
      '2',
    ])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/OPTION_INVALID.*--keep .*--checkpoint/)])
  })
})

const KILLS = 12
const KEEP = 2

test(`killed ${KILLS} times, there are never fewer than promised, each whole, and in the end those of a run that never was`, {
  timeout: 600_000,
}, async () => {
  const data = join(folder, 'data.jsonl')
  writeFileSync(data, TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))
  const tune = (name: string) => [
    ...['tune', '--model', TINY, '--threads', '1', '--dtype', 'float32', '--train', data, '--validation', data, '--steps', '120'],
    ...['--batch-size', '2', '--evaluate-every', '1', '--length', '4', '--seeds', '0,1', '--out', join(folder, `${name}.safetensors`)],
    ...['--checkpoint', join(folder, `${name}.ckpt`), '--checkpoint-every', '3', '--keep', String(KEEP), '--resume', '--json'],
  ]
  // A process that is killed while it writes may leave a temporary file, which is nobody's prompt.
  const keptOf = (name: string, run: number) => inFolder(`${name}.ckpt-run${run}-`).filter((file) => file.endsWith('.safetensors'))
  const whole = await cli(tune('whole'))
  expect(whole.code).toBe(0)
  let promised = 0
  for (let kill = 0; kill < KILLS; kill++) {
    promised = Math.max(promised, await startAndKill(tune('killed')))
    for (const run of [0, 1]) {
      expect(keptOf('killed', run).length).toBeGreaterThanOrEqual(promised / 2)
      for (const file of keptOf('killed', run)) expect((await SoftPrompt.load(join(folder, file))).rows).toBe(4)
    }
  }
  const last = await cli(tune('killed'))
  expect(last.code).toBe(0)
  expect(promised).toBe(2 * KEEP)
  const { runs } = jsonLines(last.stdout).at(-1) as unknown as { runs: { report: TuneReport }[] }
  for (const run of [0, 1]) {
    const { report } = runs[run]!
    expect(report.kept!.map(({ step }) => step)).toEqual(bestSteps(report, KEEP))
    const expected = report.kept!.map(({ step }) => `killed.ckpt-run${run}-${step}.safetensors`)
    expect(keptOf('killed', run).sort()).toEqual(expected.sort())
    for (const file of expected)
      expect(readFileSync(join(folder, file))).toEqual(readFileSync(join(folder, file.replace('killed', 'whole'))))
  }
})

/** Starts the run and kills it some checkpoints and some moments later; how many files the last checkpoint told of. */
async function startAndKill(args: string[]): Promise<number> {
  const child = start(args)
  const done = finished(child)
  let left = 1 + Math.floor(3 * Math.random())
  let kept = 0
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{"type":"checkpoint"')) return
    kept = (JSON.parse(line) as { kept: string[] }).kept.length
    if (--left === 0) setTimeout(() => child.kill('SIGKILL'), 10 * Math.random())
  })
  const { code, stderr } = await done
  if (code !== null) throw new Error(`the run ended by itself (${code}): ${stderr}`)
  return kept
}
