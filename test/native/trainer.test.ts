// Training of all weights across the desk (src/native.ts).
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Native, NativeModel, NativeTrainableOptions } from '../../src/native.js'
import { useDesk } from './support/child.js'
import { generateOptions, load, openDesk, promptedRows, tinyModel, trainerBatch, trainerOptions } from './support/desk.mjs'

let native: Native
let frozen: NativeModel
let folder: string
const opened: NativeModel[] = []
beforeAll(async () => {
  await useDesk()
  native = openDesk()
  frozen = await load(native).promise
  folder = await mkdtemp(join(tmpdir(), 'softprompt-trainer-'))
})
afterAll(async () => {
  await Promise.all([frozen, ...opened].map((model) => model.dispose()))
  await rm(folder, { recursive: true })
})

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error) => error.code,
  )
const [inputs, targets] = trainerBatch
const how: NativeTrainableOptions = { dtype: 'float32', threads: 1, device: 'cpu' }

async function copy(dtype: 'float32' | 'bfloat16' = 'float32') {
  const model = await frozen.trainable({ ...how, dtype }).promise
  opened.push(model)
  return model
}

async function learn(model: NativeModel, steps: number, options = {}) {
  const trainer = await model.trainer(trainerOptions(options)).promise
  let [first, last] = [Number.NaN, Number.NaN]
  for (let i = 0; i < steps; i++) {
    last = (await trainer.step(inputs, targets, 1).promise).loss
    if (i === 0) first = last
  }
  return { trainer, first, last }
}

describe('a trainable copy', () => {
  it('begins as the model that it was made of, and learns; the model stays as it is', async () => {
    const model = await copy()
    expect(model.info.fingerprint).toBe(frozen.info.fingerprint)
    const digest = await frozen.digest().promise
    const rows = promptedRows([[3, 4, 5, 1]])
    const scoreOf = async () =>
      (await model.score(rows, { ids: Int32Array.of(20, 21, 1), offsets: Int32Array.of(0, 3) }).promise)[0]?.reduce((a, b) => a + b) ?? 0
    const before = await scoreOf()
    const { trainer, first, last } = await learn(model, 30)
    expect(last).toBeLessThan(first / 2)
    expect(await scoreOf()).toBeGreaterThan(before)
    expect(await model.fingerprint().promise).not.toBe(frozen.info.fingerprint)
    expect(await frozen.digest().promise).toBe(digest)
    const { negativeLogProb, targetTokens } = await trainer.loss(inputs, targets).promise
    expect(targetTokens).toBe(9)
    expect(negativeLogProb / targetTokens).toBeLessThan(first / 2)
  })

  it('reports a step', async () => {
    const trainer = await (await copy()).trainer(trainerOptions()).promise
    const step = await trainer.step(inputs, targets, 0.5).promise
    expect(step).toMatchObject({ step: 1, examples: 3, inputTokens: 12, targetTokens: 9, learningRate: 0.005 })
    expect(step.gradientNorm).toBeGreaterThan(0)
    expect(step).not.toHaveProperty('diverged')
  })

  it('learns in bfloat16 too, and answers while it does', async () => {
    const model = await copy('bfloat16')
    const trainer = await model.trainer(trainerOptions()).promise
    const first = (await trainer.step(inputs, targets, 1).promise).loss
    const steps = Array.from({ length: 30 }, () => trainer.step(inputs, targets, 1).promise)
    const answers = await model.generate(promptedRows([[3, 4, 5, 1]]), generateOptions(1, 4)).promise
    expect(answers[0]?.[0]?.tokens.length).toBeGreaterThan(0)
    expect((await Promise.all(steps)).at(-1)?.loss).toBeLessThan(first / 2)
  })

  it('does not count what diverges', async () => {
    const model = await copy()
    const trainer = await model.trainer(trainerOptions()).promise
    const before = await model.digest().promise
    const step = await trainer.step(inputs, targets, Number.POSITIVE_INFINITY).promise
    expect(step.diverged).toMatch(/learning rate/)
    expect(await model.digest().promise).toBe(before)
    expect((await trainer.step(inputs, targets, 1).promise).step).toBe(1)
  })

  it('is cancelled between layers, with nothing changed', async () => {
    const model = await copy()
    const trainer = await model.trainer(trainerOptions()).promise
    const before = await model.digest().promise
    const job = trainer.step(inputs, targets, 1)
    job.cancel()
    expect(await codeOf(job.promise)).toBe('CANCELLED')
    expect(await model.digest().promise).toBe(before)
  })

  it('keeps and recalls weights', async () => {
    const model = await copy()
    const { trainer } = await learn(model, 2)
    await trainer.keep().promise
    const kept = await model.digest().promise
    await trainer.step(inputs, targets, 1).promise
    expect(await model.digest().promise).not.toBe(kept)
    await trainer.recall().promise
    expect(await model.digest().promise).toBe(kept)
  })
})

describe('what goes into files', () => {
  it('goes on from a checkpoint to the bit, kept weights too', async () => {
    const path = join(folder, 'run.safetensors')
    for (const dtype of ['float32', 'bfloat16'] as const) {
      for (const name of ['adafactor', 'adamw'] as const) {
        const options = { optimizer: { ...trainerOptions().optimizer, name, learningRate: 1e-3 } }
        const whole = await copy(dtype)
        const { trainer } = await learn(whole, 3, options)
        await trainer.keep().promise
        const kept = await whole.fingerprint().promise
        await trainer.save(path, 'notes').promise
        await trainer.step(inputs, targets, 1).promise
        await trainer.step(inputs, targets, 1).promise

        const resumed = await copy(dtype)
        const again = await resumed.trainer(trainerOptions(options)).promise
        expect(await again.restore(path).promise).toBe('notes')
        await again.step(inputs, targets, 1).promise
        expect((await again.step(inputs, targets, 1).promise).step).toBe(5)
        expect(await resumed.fingerprint().promise).toBe(await whole.fingerprint().promise)
        expect(await resumed.digest().promise).toBe(await whole.digest().promise)
        await again.recall().promise
        expect(await resumed.fingerprint().promise).toBe(kept)
      }
    }
  })

  it('refuses checkpoints of other runs, and broken ones', async () => {
    const path = join(folder, 'other.safetensors')
    const { trainer } = await learn(await copy(), 1)
    await trainer.save(path, '').promise
    const other = await (await copy()).trainer(trainerOptions({ seed: 4 })).promise
    expect(await codeOf(other.restore(path).promise)).toBe('CHECKPOINT_MISMATCH')
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length - 9))
    expect(await codeOf(trainer.restore(path).promise)).toBe('CHECKPOINT_INVALID')
    await other.claim(path).promise
    expect(await codeOf(trainer.claim(path).promise)).toBe('CHECKPOINT_LOCKED')
    await other.release().promise
    await trainer.claim(path).promise
  })

  it('saves weights that load as the same model', async () => {
    const model = await copy()
    await learn(model, 2)
    const saved = join(folder, 'model')
    await mkdir(saved)
    await writeFile(join(saved, 'config.json'), model.info.configJson)
    await model.saveWeights(join(saved, 'model.safetensors'), 'float32').promise
    const loaded = await load(native, { path: saved }).promise
    opened.push(loaded)
    expect(loaded.info.fingerprint).toBe(await model.fingerprint().promise)
    const rows = promptedRows([[3, 4, 5, 1]])
    expect(await loaded.score(rows, { ids: Int32Array.of(20, 1), offsets: Int32Array.of(0, 2) }).promise).toEqual(
      await model.score(rows, { ids: Int32Array.of(20, 1), offsets: Int32Array.of(0, 2) }).promise,
    )
  })
})

describe('who may learn', () => {
  it('is no loaded model', async () => {
    expect(await codeOf(frozen.trainer(trainerOptions()).promise)).toBe('MODEL_FROZEN')
  })

  it('is a new model, a function of its seed', async () => {
    const configJson = await readFile(join(tinyModel, 'config.json'), 'utf8')
    const create = async (seed: number) => {
      const model = await native.createModel({ configJson, seed, ...how }).promise
      opened.push(model)
      return model
    }
    const [one, same, another] = [await create(1), await create(1), await create(2)]
    expect(same.info.fingerprint).toBe(one.info.fingerprint)
    expect(another.info.fingerprint).not.toBe(one.info.fingerprint)
    expect(one.info.parameterCount).toBe(frozen.info.parameterCount)
    const { first, last } = await learn(one, 20)
    expect(last).toBeLessThan(first)
    expect(await codeOf(native.createModel({ configJson: '{}', seed: 1, ...how }).promise)).toBe('CONFIG_INVALID')
  })

  it('refuses optimisers that are for prompts, and rows without tokens', async () => {
    const model = await copy()
    const muon = { ...trainerOptions().optimizer, name: 'muon' as const }
    expect(await codeOf(model.trainer(trainerOptions({ optimizer: muon })).promise)).toBe('OPTION_UNSUPPORTED')
    const trainer = await model.trainer(trainerOptions()).promise
    const empty = { ids: new Int32Array(0), offsets: Int32Array.of(0, 0) }
    const one = { ids: Int32Array.of(5), offsets: Int32Array.of(0, 1) }
    expect(await codeOf(trainer.step(empty, one, 1).promise)).toBe('DATA_ROW_INVALID')
    expect(await codeOf(trainer.step(one, empty, 1).promise)).toBe('DATA_TARGET_EMPTY')
    expect(await codeOf(trainer.step(one, { ...one, ids: Int32Array.of(999) }, 1).promise)).toBe('TOKEN_OUT_OF_RANGE')
  })
})
