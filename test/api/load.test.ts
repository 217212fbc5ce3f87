import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type LoadProgress, T5 } from '../../src/index.js'
import { failure, load, NANO, TINY, temporaryFolder } from './helpers.js'

const folder = temporaryFolder()

describe('T5.load', () => {
  test('facts about a model', async () => {
    const progress: LoadProgress[] = []
    const t5 = await load(NANO, { onProgress: (event) => progress.push(event) })
    const raw = JSON.parse(readFileSync(join(NANO, 'config.json'), 'utf8'))
    expect(t5).toMatchObject({ device: 'cpu', dtype: 'float32', disposed: false })
    expect(t5.config).toMatchObject({
      dModel: raw.d_model,
      vocabSize: raw.vocab_size,
      eosTokenId: 1,
      padTokenId: 0,
      decoderStartTokenId: 0,
      raw,
    })
    expect(t5.tokenizer?.encode('hello').length).toBeGreaterThan(0)
    expect(t5.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(t5.info.parameterCount).toBeGreaterThan(1_000_000)
    expect(t5.info.bytes).toBeGreaterThanOrEqual(4 * t5.info.parameterCount)
    expect(progress[0]).toEqual({ status: 'initiate', name: 'nano-t5' })
    expect(progress.at(-1)).toEqual({ status: 'ready', name: 'nano-t5' })
  })

  test('a folder without tokenizer loads', async () => {
    const t5 = await load(TINY)
    expect(t5.tokenizer).toBeNull()
    expect(await failure(t5.generate('text'))).toMatchObject({ code: 'TOKENIZER_MISSING' })
    expect((await t5.generate([5, 6, 1], { maxNewTokens: 3 })).text).toBe('')
  })

  test('a hub id is found in the local cache', async () => {
    const home = join(folder, 'hf')
    const snapshot = join(home, 'hub', 'models--someone--tiny', 'snapshots', 'abc123')
    cpSync(TINY, snapshot, { recursive: true })
    mkdirSync(join(home, 'hub', 'models--someone--tiny', 'refs'))
    writeFileSync(join(home, 'hub', 'models--someone--tiny', 'refs', 'main'), 'abc123')
    process.env.HF_HOME = home
    try {
      expect((await load('someone/tiny')).info.path).toBe(snapshot)
      const error = await failure(T5.load('someone/else'))
      expect(error).toMatchObject({ code: 'MODEL_NOT_FOUND', message: expect.stringContaining('softprompt pull someone/else') })
    } finally {
      delete process.env.HF_HOME
    }
  })

  test('what cannot be loaded', async () => {
    expect(await failure(T5.load(join(folder, 'nothing', 'here')))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
    expect(await failure(T5.load(''))).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await failure(T5.load(TINY, { device: 'gpu' as never }))).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await failure(T5.load(TINY, { dtype: 'float16' as never }))).toMatchObject({ code: 'OPTION_INVALID' })
    const truncated = join(folder, 'truncated')
    mkdirSync(truncated)
    copyFileSync(join(TINY, 'config.json'), join(truncated, 'config.json'))
    expect(await failure(T5.load(truncated))).toMatchObject({ code: 'MODEL_FILE_MISSING' })
    writeFileSync(join(truncated, 'model.safetensors'), readFileSync(join(TINY, 'model.safetensors')).subarray(0, -10))
    const error = await failure(T5.load(truncated))
    expect(error).toMatchObject({ name: 'ModelError', code: 'SAFETENSORS_TRUNCATED', message: expect.stringContaining(truncated) })
    expect(error.stack).toContain('load.test.ts')
  })

  test('an aborted signal', async () => {
    const reason = new Error('not now')
    expect(await failure(T5.load(TINY, { signal: AbortSignal.abort(reason) }))).toBe(reason)
  })
})

describe('dispose', () => {
  test('is idempotent, and every later call rejects', async () => {
    const t5 = await T5.load(TINY)
    expect(t5.disposed).toBe(false)
    const first = t5.dispose()
    expect(t5.disposed).toBe(true)
    await Promise.all([first, t5.dispose(), t5[Symbol.asyncDispose]()])
    const disposed = { name: 'ModelError', code: 'MODEL_DISPOSED' }
    expect(await failure(t5.generate([1]))).toMatchObject(disposed)
    expect(await failure(t5.score([{ input: [1], target: [1] }]))).toMatchObject(disposed)
    expect(await failure(t5.classify([[1]], { labels: ['a', 'b'] }))).toMatchObject(disposed)
    expect(await failure(t5.evaluate({ data: [] }))).toMatchObject(disposed)
    expect(await failure(t5.digest())).toMatchObject(disposed)
    expect(await failure(t5.stream([1]).next())).toMatchObject(disposed)
    expect(await failure(t5.tune({ train: [] }).result)).toMatchObject(disposed)
  })

  test('ends what is running', async () => {
    const t5 = await T5.load(TINY, { threads: 1 })
    const running = [
      t5.generate(
        Array.from({ length: 64 }, () => [5, 6, 7, 1]),
        { maxNewTokens: 10_000, minNewTokens: 10_000 },
      ),
      t5.tune({ train: [{ input: [5, 1], target: [6, 1] }], steps: 1_000_000 }).result,
    ]
    const failures = running.map((promise) => failure(promise))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await t5.dispose()
    for (const error of await Promise.all(failures)) expect(error).toMatchObject({ code: 'MODEL_DISPOSED' })
  })
})
