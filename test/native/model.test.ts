// The native module's contract (src/native.ts), and what a model must do while it is busy.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Native, NativeGeneration, NativeModel, NativePromptRows, NativeStep } from '../../src/native.js'
import { useDesk } from './support/child.js'
import {
  endless,
  generateOptions,
  load,
  loss,
  openDesk,
  promptedRows,
  theRun,
  tokenRows,
  trainerOptions,
  tuneOptions,
} from './support/desk.mjs'

let native: Native
let model: NativeModel
let folder: string
beforeAll(async () => {
  await useDesk()
  native = openDesk()
  model = await load(native).promise
  folder = await mkdtemp(join(tmpdir(), 'softprompt-native-'))
})
afterAll(async () => {
  await model.dispose()
  await rm(folder, { recursive: true })
})

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error) => error.code,
  )
const rows = [
  [3, 4, 5, 1],
  [6, 1],
  [7, 8, 9, 10, 11, 1],
]
const prompt: NativePromptRows = { data: Float32Array.from({ length: 9 * 48 }, (_, i) => Math.sin(i)), rows: 9, dModel: 48 }

async function tunedPrompt(on: NativeModel, steps: number, whileRunning: () => Promise<unknown> = async () => {}): Promise<Float32Array> {
  const tuner = await on.tuner(tuneOptions()).promise
  const run = tuner.run(steps, theRun, () => {})
  await whileRunning()
  await run.promise
  return (await tuner.prompt(0).promise).data
}

describe('what the module says of itself', () => {
  it('names versions and the processor', () => {
    const versions = native.versions()
    expect(versions.libtorch).toMatch(/^2\.\d+\.\d+/)
    expect(versions.threads).toBeGreaterThan(0)
  })

  it('describes a model', () => {
    expect(model.info).toMatchObject({ device: 'cpu', dtype: 'float32', threads: 1 })
    expect(model.info.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.parse(model.info.configJson).d_model).toBe(48)
    expect(model.info.bytes).toBe(4 * model.info.parameterCount)
  })

  it('reports progress while it loads', async () => {
    const fractions: number[] = []
    const job = native.loadModel(
      { path: join(__dirname, '../fixtures/t5-v1.0'), device: 'cpu', dtype: 'float32', threads: 2, trust: false },
      (f) => fractions.push(f),
    )
    const other = await job.promise
    expect(other.info.threads).toBe(2)
    await other.dispose()
    expect(fractions.length).toBeGreaterThan(0)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(fractions.every((fraction) => fraction >= 0 && fraction <= 1)).toBe(true)
  })

  it('gives the code of a failure', async () => {
    expect(await codeOf(load(native, { path: join(folder, 'nothing') }).promise)).toMatch(/^MODEL_/)
  })
})

const firsts = (answers: NativeGeneration[][]) => answers.map((row) => row[0] as NativeGeneration)

describe('generate', () => {
  const decode = async (options = generateOptions(3, 6)) => firsts(await model.generate(promptedRows(rows, prompt), options).promise)

  it('tells every token in order, by row, before the promise is settled', async () => {
    const told: number[][] = [[], [], []]
    const job = model.generate(promptedRows(rows, prompt), generateOptions(3, 6), (which, tokens) => {
      for (const [i, row] of which.entries()) told[row]!.push(tokens[i]!)
    })
    const generations = firsts(await job.promise)
    expect(told).toEqual(generations.map(({ tokens }) => [...tokens]))
  })

  it('gives calls that wait together what each gets alone', async () => {
    const calls = rows.map(
      (row, i) => async () =>
        firsts(await model.generate(promptedRows([row], i === 1 ? undefined : prompt), generateOptions(1, 3 + i)).promise),
    )
    const alone: NativeGeneration[][] = []
    for (const call of calls) alone.push(await call())
    const together = await Promise.all(calls.map((call) => call()))
    const tokens = (all: NativeGeneration[][]) => all.map((call) => call.map((one) => [...one.tokens]))
    expect(tokens(together)).toEqual(tokens(alone))
  })

  it('cancels one of several merged calls and leaves the others', async () => {
    const expected = (await decode()).map(({ tokens }) => [...tokens])
    const long = () => model.generate(promptedRows(rows), generateOptions(3, 100_000, 100_000))
    const blocker = long()
    const cancelled = long()
    const kept = decode()
    const codes = [blocker, cancelled].map((job) => codeOf(job.promise))
    blocker.cancel()
    cancelled.cancel()
    expect(await Promise.all(codes)).toEqual(['CANCELLED', 'CANCELLED'])
    expect((await kept).map(({ tokens }) => [...tokens])).toEqual(expected)
    cancelled.cancel()
  })

  it('cancels in the middle of decoding', async () => {
    const job = model.generate(promptedRows(rows), generateOptions(3, 100_000, 100_000), () => job.cancel())
    expect(await codeOf(job.promise)).toBe('CANCELLED')
  })

  it('refuses a call whose prompt is too wide, and serves those that waited with it', async () => {
    const wide = { data: new Float32Array(10).fill(0.1), rows: 1, dModel: 10 }
    const before = decode()
    const bad = model.generate(promptedRows(rows, wide), generateOptions(3, 6)).promise
    const after = decode()
    expect(await codeOf(bad)).toBe('PROMPT_WIDTH')
    expect(await after).toEqual(await before)
  })
})

describe('score, classify and gradient', () => {
  it('agree with each other', async () => {
    const targets = [
      [60, 1],
      [61, 70, 1],
    ]
    const scores = await model.score(promptedRows([rows[0]!, rows[0]!], prompt), tokenRows(targets)).promise
    expect(scores.map((score) => score.length)).toEqual([2, 3])
    const sums = scores.map((score) => score.reduce((a, b) => a + b, 0))
    const logProbs = await model.classify(promptedRows([rows[0]!], prompt), tokenRows(targets)).promise
    for (const [i, sum] of sums.entries()) expect(logProbs[i]).toBeCloseTo(sum, 3)
    const result = await model.gradient(tokenRows([rows[0]!]), tokenRows([targets[1]!]), prompt, loss).promise
    expect(result.loss).toBeCloseTo(-sums[1]!, 3)
    expect(result.gradient.length).toBe(9 * 48)
    expect(result.gradient.some((value) => value !== 0)).toBe(true)
  })
})

describe('tuning', () => {
  it('tells every step once, in order, over several stretches', async () => {
    const tuner = await model.tuner(tuneOptions()).promise
    const steps: NativeStep[] = []
    await tuner.run(5, theRun, (some) => steps.push(...some)).promise
    expect(steps.length).toBe(5)
    await tuner.run(7, theRun, (some) => steps.push(...some)).promise
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    expect(steps[0]).toMatchObject({ examples: 8, learningRate: 0.3 })
  })

  it('is bit-identical while generate is served, and so is what is served', async () => {
    const idle = await model.generate(promptedRows(rows, prompt), generateOptions(3, 8)).promise
    const undisturbed = await tunedPrompt(model, 40)
    const disturbed = await tunedPrompt(model, 40, async () => {
      for (let i = 0; i < 10; i++) {
        expect(await model.generate(promptedRows(rows, prompt), generateOptions(3, 8)).promise).toEqual(idle)
      }
    })
    expect(disturbed).toEqual(undisturbed)
  })

  it('serves generate before the run ends', async () => {
    const tuner = await model.tuner(tuneOptions()).promise
    const run = tuner.run(endless, theRun, () => {})
    await model.generate(promptedRows(rows), generateOptions(3, 4)).promise
    run.cancel()
    expect(await codeOf(run.promise)).toBe('CANCELLED')
  })

  it('lets two runs on one model take turns, each as if it were alone', async () => {
    const alone = await tunedPrompt(model, 20)
    const [a, b] = await Promise.all([tunedPrompt(model, 20), tunedPrompt(model, 20)])
    expect(a).toEqual(alone)
    expect(b).toEqual(alone)
  })

  it('goes on after a cancel from the last whole step', async () => {
    const whole = await tunedPrompt(model, 30)
    const tuner = await model.tuner(tuneOptions()).promise
    let done = 0
    const run = tuner.run(30, theRun, (steps) => {
      done = steps.at(-1)!.step
      run.cancel()
    })
    await codeOf(run.promise)
    expect(done).toBeGreaterThan(0)
    await tuner.run(30 - done, theRun, () => {}).promise
    expect((await tuner.prompt(0).promise).data).toEqual(whole)
  })

  it('goes on from a file, bit for bit', async () => {
    const whole = await tunedPrompt(model, 30)
    const path = join(folder, 'run.safetensors')
    const first = await model.tuner(tuneOptions()).promise
    await first.run(12, theRun, () => {}).promise
    await first.save(path, '{"best":1}').promise
    expect((await native.inspect(path).promise).kind).toBe('checkpoint')
    const second = await model.tuner(tuneOptions()).promise
    expect(await second.restore(path).promise).toBe('{"best":1}')
    await second.run(18, theRun, () => {}).promise
    expect((await second.prompt(0).promise).data).toEqual(whole)
  })

  it('leaves every frozen tensor as it was', async () => {
    const before = await model.digest().promise
    expect(before).toMatch(/^[0-9a-f]{64}$/)
    const start = await tunedPrompt(model, 0)
    const tuned = await tunedPrompt(model, 20)
    expect(tuned).not.toEqual(start)
    expect(await model.digest().promise).toBe(before)
  })

  it('refuses an empty set', async () => {
    expect(await codeOf(model.tuner(tuneOptions({ inputs: tokenRows([]), targets: tokenRows([]) })).promise)).toBe('DATA_EMPTY')
  })
})

describe('dispose', () => {
  it('rejects what runs and waits with MODEL_DISPOSED, and may be repeated', async () => {
    const gone = await load(native).promise
    const tuner = await gone.tuner(tuneOptions()).promise
    const open = [
      tuner.run(endless, theRun, () => {}).promise,
      tuner.prompt(0).promise,
      gone.generate(promptedRows(rows), generateOptions(3, 100_000, 100_000)).promise,
      gone.digest().promise,
    ].map(codeOf)
    await Promise.all([gone.dispose(), gone.dispose()])
    expect(await Promise.all(open)).toEqual(['MODEL_DISPOSED', 'MODEL_DISPOSED', 'MODEL_DISPOSED', 'MODEL_DISPOSED'])
    expect(await codeOf(gone.generate(promptedRows(rows), generateOptions(3, 4)).promise)).toBe('MODEL_DISPOSED')
    expect(await codeOf(tuner.run(1, theRun, () => {}).promise)).toBe('MODEL_DISPOSED')
    await gone.dispose()
  })

  it('leaves other models alone', async () => {
    const [one, two] = await Promise.all([load(native).promise, load(native, { threads: 2 }).promise])
    const expected = await tunedPrompt(one, 10)
    const onTwo = tunedPrompt(two, 10, () => one.dispose())
    const disposedOf = codeOf(tunedPrompt(one, 10))
    expect((await onTwo).length).toBe(expected.length)
    expect(await disposedOf).toBe('MODEL_DISPOSED')
    await two.dispose()
  })

  it('stops a load that nobody waits for any more', async () => {
    const job = load(native)
    job.cancel()
    expect(await codeOf(job.promise)).toBe('CANCELLED')
  })
})

describe('the desk', () => {
  it('refuses what would read outside of an array', () => {
    const outside = { ids: Int32Array.of(3, 1), offsets: Int32Array.of(0, 9) }
    expect(() => model.generate({ ...promptedRows([[3]]), inputs: outside }, generateOptions(1, 1))).toThrow(TypeError)
    expect(() => model.generate(promptedRows([[3]], { ...prompt, rows: 10 }), generateOptions(1, 1))).toThrow(TypeError)
    expect(() => model.generate({ ...promptedRows([[3]]), promptOfRow: Int32Array.of(0) }, generateOptions(1, 1))).toThrow(TypeError)
  })

  it('refuses receivers that are not of its class, and objects that its user makes', async () => {
    const tuner = await model.tuner(tuneOptions()).promise
    const copy = await model.trainable({ dtype: 'float32', threads: 1, device: 'cpu' }).promise
    const trainer = await copy.trainer(trainerOptions()).promise
    const all: object[] = [model, tuner, trainer]
    for (const object of all) {
      const { prototype } = object.constructor as new () => object
      const methods = Object.entries(Object.getOwnPropertyDescriptors(prototype)).filter(([name]) => name !== 'constructor')
      const others = [...all.filter((other) => other !== object), Object.create(object), new Proxy(object, {}), native, {}, prototype, null]
      expect(methods.length).toBeGreaterThan(2)
      for (const [name, { value }] of methods)
        for (const other of others) expect(() => Reflect.apply(value, other, []), name).toThrow(TypeError)
      expect(() => Reflect.construct(object.constructor as new () => object, [])).toThrow(TypeError)
    }
    await copy.dispose()
  })

  it('keeps a prompt over a file', async () => {
    for (const format of ['safetensors', 'npy'] as const) {
      const path = join(folder, `prompt.${format}`)
      await native.savePrompt({ ...prompt, metadata: { task: 'é' } }, path, format).promise
      const read = await native.loadPrompt(path).promise
      expect(read).toMatchObject({ rows: 9, dModel: 48 })
      expect(read.data).toEqual(prompt.data)
      if (format === 'safetensors') expect(read.metadata.task).toBe('é')
      const info = await native.inspect(path).promise
      expect(info).toMatchObject({ kind: 'prompt', tensors: [{ name: 'prompt', dtype: 'F32', shape: [9, 48] }] })
    }
  })

  it('inspects a checkpoint, and names what is missing', async () => {
    const info = await native.inspect(join(__dirname, '../fixtures/t5-v1.1/model.safetensors')).promise
    expect(info.kind).toBe('safetensors')
    expect(info.tensors.length).toBeGreaterThan(10)
    expect(await codeOf(native.inspect(join(folder, 'nothing')).promise)).toBe('FILE_NOT_FOUND')
  })
})
