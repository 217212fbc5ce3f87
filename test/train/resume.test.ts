import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AdaptOptions, FinetuneOptions, FinetuneResult, T5, TrainReport } from '../../src/index.js'
import { failure, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { TINY_ADAPT, TINY_FINETUNE, TINY_TEXT, tiny } from './helpers.js'

const folder = temporaryFolder()
const t5 = await tiny()

async function* documents() {
  for (let i = 0; ; i++) yield TINY_TEXT[(i * 7) % TINY_TEXT.length]!
}

const finetune = { ...TINY_FINETUNE, steps: 12, validation: TINY_EXAMPLES, evaluateEvery: 3, dropout: 0.1, learningRate: 0.01 }
const adapt = { ...TINY_ADAPT, steps: 12, validation: TINY_TEXT.slice(0, 20), evaluateEvery: 3 }

const averaging = { learningRate: undefined, optimizer: { name: 'adafactor', learningRate: 0.01, averageDecay: 0.9 } as const }

type Outcome = { model: T5; report: TrainReport<unknown> }
type Run = AsyncIterable<{ type: string; step?: number }> & { result: Promise<Outcome>; abort(reason?: unknown): void }

/** Each gives a run with some options more. */
const runs: [string, (more: object) => Run][] = [
  ['finetune', (more) => t5.finetune({ ...finetune, ...more } as FinetuneOptions)],
  ['finetune, of averages', (more) => t5.finetune({ ...finetune, ...averaging, ...more } as FinetuneOptions)],
  ['adapt', (more) => t5.adapt({ ...adapt, ...more } as AdaptOptions)],
  ['adapt, of a stream', (more) => t5.adapt({ ...adapt, text: documents(), shuffleBuffer: 5, ...more } as AdaptOptions)],
]

/** Numbers of a report that do not depend on the clock. */
const timeless = (report: TrainReport<unknown>) => ({
  ...report,
  seconds: 0,
  examplesPerSecond: 0,
  tokensPerSecond: 0,
  pace: [],
  peakRss: 0,
  data: null,
})

describe.each(runs)('%s', (name, start) => {
  test('a run that was aborted ends as if it had never been', async () => {
    const whole = await start({}).result
    const checkpoint = { path: join(folder, `${name}.ckpt`), every: 5 }
    const first = start({ checkpoint })
    for await (const event of first) if (event.type === 'step' && event.step === 7) first.abort(new Error('stop'))
    const partial = (await failure(first.result)).partial as Outcome
    await partial.model.dispose()
    const resumed = start({ checkpoint, resume: true })
    const { model, report } = await resumed.result
    expect(timeless(report)).toEqual(timeless(whole.report))
    expect(model.fingerprint).toBe(whole.model.fingerprint)
    await Promise.all([model.dispose(), whole.model.dispose()])
  })

  test('a run that is over gives its result again, and goes on with more steps', async () => {
    const checkpoint = { path: join(folder, `${name}-over.ckpt`) }
    const first = await start({ checkpoint }).result
    const again = await start({ checkpoint, resume: true }).result
    expect(again.model.fingerprint).toBe(first.model.fingerprint)
    expect(timeless(again.report)).toEqual(timeless(first.report))
    const longer = start({ checkpoint, resume: true, steps: 15 })
    for await (const event of longer) if (event.type === 'start') expect(event).toMatchObject({ resumedFrom: 12, steps: 15 })
    const { model, report } = await longer.result
    expect(report.steps).toBe(15)
    for (const one of [first.model, again.model, model]) await one.dispose()
  })
})

test('a checkpoint of other options, data or another model is refused', async () => {
  const path = join(folder, 'other.ckpt')
  const checkpoint = { path }
  const { model } = await t5.finetune({ ...finetune, checkpoint }).result
  const rejection = (more: object, on: T5 = t5) => failure(on.finetune({ ...finetune, checkpoint, resume: true, ...more }).result)
  expect(await rejection({ batchSize: 2 })).toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    message: expect.stringContaining('another batchSize'),
  })
  expect(await rejection({ train: TINY_EXAMPLES.slice(1) })).toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    message: expect.stringContaining('other data'),
  })
  expect(await rejection({}, model)).toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
  const text = await failure(t5.adapt({ ...adapt, checkpoint, resume: true }).result)
  expect(text.code).toMatch(/^CHECKPOINT_/)
  writeFileSync(path, 'something else')
  expect((await rejection({})).code).toBe('CHECKPOINT_INVALID')
  await model.dispose()
})

test('two runs cannot write one checkpoint', async () => {
  const checkpoint = { path: join(folder, 'shared.ckpt') }
  const first = t5.finetune({ ...finetune, steps: 1_000_000, checkpoint })
  for await (const event of first) if (event.type === 'start') break
  expect(await failure(t5.finetune({ ...finetune, checkpoint }).result)).toMatchObject({ code: 'CHECKPOINT_LOCKED' })
  first.abort(new Error('enough'))
  await failure(first.result)
  const { model } = await t5.finetune({ ...finetune, checkpoint }).result
  await model.dispose()
})

test('the disk is full in the middle of a checkpoint: an error, and the last one is whole', async (context) => {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  // A checkpoint is a few hundred kilobytes; while one is written, the last is there too.
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).status !== 0)
    context.skip('a disk that is full needs the right to mount one')
  try {
    const checkpoint = { path: join(disk, 'run.ckpt'), every: 3 }
    const run = t5.finetune({ ...finetune, steps: 1_000_000, checkpoint })
    for await (const event of run) {
      if (event.type !== 'checkpoint') continue
      for (let i = 0; ; i++) {
        try {
          writeFileSync(join(disk, `filling-${i}`), Buffer.alloc(4096))
        } catch {
          break
        }
      }
      break
    }
    const error = await failure(run.result)
    expect(error).toMatchObject({ code: 'FILE_WRITE', message: expect.stringMatching(/run\.ckpt.*No space left/) })
    const { model, report } = error.partial as FinetuneResult
    expect(report.steps).toBeGreaterThanOrEqual(6)
    await model.dispose()
    for (const file of readdirSync(disk)) if (file.startsWith('filling')) rmSync(join(disk, file))
    expect(readdirSync(disk)).toEqual(['run.ckpt'])
    const resumed = t5.finetune({ ...finetune, steps: 1_000_000, timeLimit: 0.2, checkpoint, resume: true })
    for await (const event of resumed) if (event.type === 'start') expect(event.resumedFrom).toBeGreaterThanOrEqual(3)
    const result = await resumed.result
    expect(result.report.stopped).toBe('timeLimit')
    await result.model.dispose()
  } finally {
    spawnSync('umount', [disk])
  }
})
