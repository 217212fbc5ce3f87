import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { locateModel } from '../../src/hub/cache.js'
import { type PullOptions, type PullProgress, pullWith } from '../../src/hub/pull.js'
import { HubError, SoftPromptError } from '../../src/index.js'
import { sha256, temporaryFolder } from '../libtorch/helpers.js'
import { COMMIT, fakeHub, gitHash, type HubModel, send } from './fake-hub.js'

const WEIGHTS = randomBytes(300_000)
const MODEL: HubModel = {
  files: {
    'README.md': Buffer.from('# a card'),
    'config.json': Buffer.from('{"model_type":"t5"}'),
    'generation_config.json': Buffer.from('{}'),
    'model.safetensors': WEIGHTS,
    'pytorch_model.bin': randomBytes(100),
    'flax_model.msgpack': randomBytes(100),
    'spiece.model': randomBytes(2000),
    'onnx/model.safetensors': randomBytes(10),
  },
  large: ['model.safetensors', 'spiece.model', 'pytorch_model.bin'],
}
const NAME = 'org/tiny-t5'

let cache: string
beforeEach(() => {
  cache = temporaryFolder()
  for (const name of ['HF_HUB_CACHE', 'HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_ENDPOINT']) vi.stubEnv(name, '')
  vi.stubEnv('HF_HOME', cache)
  vi.stubEnv('HF_HUB_CACHE', join(cache, 'hub'))
  return () => vi.unstubAllEnvs()
})

async function hubWith(models: Record<string, HubModel> = { [NAME]: MODEL }) {
  const hub = await fakeHub(models)
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  return hub
}

const quick = (source: string, options?: PullOptions) => pullWith(source, options, { pause: 1, answerWithin: 2000, idleFor: 2000 })

async function failure(promise: Promise<unknown>): Promise<SoftPromptError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(SoftPromptError.isInstance(error)).toBe(true)
  return error as SoftPromptError
}

const repository = () => join(cache, 'hub', 'models--org--tiny-t5')
const blobs = () => readdirSync(join(repository(), 'blobs')).sort()

describe('pull', () => {
  test('lays the cache out as Python does, with only what is needed', async () => {
    const hub = await hubWith()
    const pulled = await quick(NAME)
    const snapshot = join(repository(), 'snapshots', COMMIT)
    expect(pulled).toMatchObject({ id: NAME, commit: COMMIT, path: snapshot })
    const names = ['config.json', 'generation_config.json', 'model.safetensors', 'spiece.model']
    expect(readdirSync(snapshot).sort()).toEqual(names)
    expect(pulled.files.toSorted()).toEqual(names)
    for (const name of names) expect(readFileSync(join(snapshot, name)).equals(MODEL.files[name] as Buffer)).toBe(true)
    expect(lstatSync(join(snapshot, 'config.json')).isSymbolicLink()).toBe(true)
    expect(readlinkSync(join(snapshot, 'model.safetensors'))).toBe(`../../blobs/${sha256(WEIGHTS)}`)
    expect(blobs()).toContain(gitHash(MODEL.files['config.json'] as Buffer))
    expect(readFileSync(join(repository(), 'refs', 'main'), 'utf8')).toBe(COMMIT)
    expect(await locateModel(NAME)).toBe(snapshot)
    expect(hub.requests.some(({ line }) => /README|flax|onnx|pytorch/.test(line))).toBe(false)
  })

  test('fetches nothing that is there', async () => {
    const hub = await hubWith()
    await quick(NAME)
    hub.requests.length = 0
    await quick(NAME)
    expect(hub.requests.filter(({ line }) => line.startsWith('GET') && !line.startsWith('GET /api'))).toEqual([])
  })

  test('a revision, by either spelling', async () => {
    await hubWith()
    expect(await quick(`${NAME}@v1`)).toMatchObject({ id: `${NAME}@v1`, commit: COMMIT })
    expect(readFileSync(join(repository(), 'refs', 'v1'), 'utf8')).toBe(COMMIT)
    expect(await quick(NAME, { revision: COMMIT })).toMatchObject({ id: `${NAME}@${COMMIT}` })
    for (const revision of ['v1', COMMIT]) expect(await locateModel(`${NAME}@${revision}`)).toContain(COMMIT)
    await expect(locateModel(NAME)).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining(`softprompt pull ${NAME}`),
    })
  })

  test('tells how far it is', async () => {
    await hubWith()
    const seen: PullProgress[] = []
    await quick(NAME, { onProgress: (progress) => seen.push(progress) })
    expect(seen.filter(({ status }) => status === 'done')).toHaveLength(4)
    const last = seen.findLast((progress) => progress.status === 'progress')
    const total = ['config.json', 'generation_config.json', 'model.safetensors', 'spiece.model'].reduce(
      (sum, name) => sum + (MODEL.files[name] as Buffer).length,
      0,
    )
    expect(last).toMatchObject({ loaded: total, total })
  })

  test('shards, by their index', async () => {
    const shards = { 'model-1.safetensors': randomBytes(50), 'model-2.safetensors': randomBytes(60) }
    const index = JSON.stringify({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors', c: 'model-1.safetensors' } })
    const files = {
      'config.json': Buffer.from('{}'),
      'model.safetensors.index.json': Buffer.from(index),
      ...shards,
      'pytorch_model.bin': randomBytes(9),
    }
    await hubWith({ [NAME]: { files, large: Object.keys(shards) } })
    expect((await quick(NAME)).files).toEqual(['config.json', 'model.safetensors.index.json', ...Object.keys(shards)])
    const lacking = { ...files, 'model.safetensors.index.json': Buffer.from('{"weight_map":{"a":"gone.safetensors"}}') }
    await hubWith({ [NAME]: { files: lacking } })
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_RESPONSE', message: expect.stringContaining('gone.safetensors') })
    await hubWith({ [NAME]: { files: { ...files, 'model.safetensors.index.json': Buffer.from('{"weight_map":{"a":"../../x"}}') } } })
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_RESPONSE' })
  })

  test('sends the token to the hub and to nobody else', async () => {
    const hub = await hubWith({ [NAME]: { ...MODEL, tokens: ['secret'] } })
    vi.stubEnv('HF_TOKEN', 'secret')
    await quick(NAME)
    expect(hub.requests.filter(({ line }) => line.includes('/store/')).map(({ token }) => token)).toEqual([undefined, undefined])
    expect(hub.requests.filter(({ line }) => !line.includes('/store/')).every(({ token }) => token === 'secret')).toBe(true)
  })

  test('takes the token from where `hf auth login` keeps it', async () => {
    await hubWith({ [NAME]: { ...MODEL, tokens: ['kept'] } })
    writeFileSync(join(cache, 'token'), 'kept\n')
    expect(await quick(NAME)).toMatchObject({ commit: COMMIT })
  })
})

describe('a download', () => {
  test('goes on after a drop in mid-file, where it stopped', async () => {
    const hub = await hubWith()
    let dropped = false
    hub.onStore = (_, response, content) => {
      if (dropped || content !== WEIGHTS) return false
      dropped = true
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 300))
      return true
    }
    await quick(NAME)
    const ranges = hub.requests.filter(({ line }) => line.includes(sha256(WEIGHTS))).map(({ range }) => range)
    expect(ranges).toHaveLength(2)
    expect(ranges[1]).toMatch(/^bytes=\d+-$/)
  })

  test('keeps what has arrived for the next pull, and shows no half model', async () => {
    const hub = await hubWith()
    hub.onStore = (_, response, content) => {
      if (content !== WEIGHTS) return false
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 300))
      return true
    }
    const error = await failure(pullWith(NAME, {}, { pause: 1, tries: 1 }))
    expect(error).toMatchObject({ code: 'HUB_NETWORK', message: expect.stringContaining('pull again') })
    expect(HubError.isInstance(error)).toBe(true)
    expect(blobs()).toContain(`${sha256(WEIGHTS)}.incomplete`)
    expect(existsSync(join(repository(), 'refs'))).toBe(false)
    await expect(locateModel(NAME)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
    delete hub.onStore
    hub.requests.length = 0
    await quick(NAME)
    expect(hub.requests.find(({ line }) => line.includes(sha256(WEIGHTS)))?.range).toMatch(/^bytes=[1-9]\d*-$/)
    expect(blobs().some((name) => name.endsWith('.incomplete'))).toBe(false)
  })

  test('begins again where the kept beginning is of something else', async () => {
    await hubWith()
    mkdirSync(join(repository(), 'blobs'), { recursive: true })
    writeFileSync(join(repository(), 'blobs', `${sha256(WEIGHTS)}.incomplete`), randomBytes(1000))
    writeFileSync(join(repository(), 'blobs', `${gitHash(MODEL.files['config.json'] as Buffer)}.incomplete`), randomBytes(1000))
    const { path } = await quick(NAME)
    expect(readFileSync(join(path, 'model.safetensors')).equals(WEIGHTS)).toBe(true)
    expect(readFileSync(join(path, 'config.json')).equals(MODEL.files['config.json'] as Buffer)).toBe(true)
  })

  test('that is not what was announced is refused and removed', async () => {
    const hub = await hubWith()
    const other = randomBytes(WEIGHTS.length)
    hub.onStore = (request, response, content) => {
      if (content === WEIGHTS) send(other, request, response)
      return content === WEIGHTS
    }
    const error = await failure(quick(NAME))
    expect(error).toMatchObject({ code: 'HUB_HASH', message: expect.stringContaining('model.safetensors') })
    expect(error.message).toContain(sha256(other))
    expect(blobs().some((name) => name.startsWith(sha256(WEIGHTS)))).toBe(false)
  })

  test('of another length than announced is refused', async () => {
    const hub = await hubWith()
    hub.onStore = (request, response, content) => {
      if (content === WEIGHTS) send(content.subarray(1), request, response)
      return content === WEIGHTS
    }
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_NETWORK', message: expect.stringContaining(String(WEIGHTS.length)) })
  })

  test('is stopped by its signal', async () => {
    const hub = await hubWith()
    const controller = new AbortController()
    const reason = new Error('enough')
    hub.onStore = (_, response, content) => {
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 10), () => controller.abort(reason))
      return true
    }
    await expect(quick(NAME, { signal: controller.signal })).rejects.toBe(reason)
    await expect(quick(NAME, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('waits for another that is under way', async () => {
    await hubWith()
    const pulled = await Promise.all([quick(NAME), quick(NAME)])
    expect(pulled[0]).toEqual(pulled[1])
  })
})

describe('refusals', () => {
  test('no such model, or a private one', async () => {
    await hubWith({ 'org/private': { ...MODEL, tokens: ['secret'] } })
    for (const name of ['org/none', 'org/private']) {
      const error = await failure(quick(name))
      expect(error).toMatchObject({ code: 'HUB_UNAUTHORIZED', message: expect.stringContaining(name) })
      expect(error.message).toContain('HF_TOKEN')
    }
    const error = await failure(quick('org/private', { token: 'wrong' }))
    expect(error).toMatchObject({ code: 'HUB_UNAUTHORIZED', message: expect.stringContaining('refuses the token') })
    expect(error.message).not.toContain('wrong')
    expect(await quick('org/private', { token: 'secret' })).toMatchObject({ commit: COMMIT })
  })

  test('404, of a model and of a revision', async () => {
    const hub = await hubWith()
    expect(await failure(quick(`${NAME}@v9`))).toMatchObject({ code: 'HUB_NOT_FOUND', message: expect.stringContaining('no revision v9') })
    hub.onHub = (_, response) => Boolean(response.writeHead(404).end())
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_NOT_FOUND', message: expect.stringContaining(NAME) })
  })

  test('a gated model', async () => {
    const hub = await hubWith({ [NAME]: { ...MODEL, gated: true } })
    const error = await failure(quick(NAME))
    expect(error).toMatchObject({ code: 'HUB_GATED', message: expect.stringContaining(`accept its terms at ${hub.endpoint}/${NAME}`) })
  })

  test('a repository without config or weights', async () => {
    await hubWith({ [NAME]: { files: { 'config.json': Buffer.from('{}') } } })
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_NOT_FOUND', message: expect.stringContaining('weights') })
    await hubWith({ [NAME]: { files: { 'model.safetensors': Buffer.from('x') } } })
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_NOT_FOUND', message: expect.stringContaining('config.json') })
  })

  test('a server that cannot be reached, is ill, or is no hub', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:1')
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_NETWORK', message: expect.stringContaining('HF_ENDPOINT') })
    const hub = await hubWith()
    let ill = 2
    hub.onHub = (_, response) => (ill-- > 0 ? Boolean(response.writeHead(503).end()) : false)
    expect(await quick(NAME)).toMatchObject({ commit: COMMIT })
    hub.onHub = (_, response) => Boolean(response.writeHead(503).end())
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_NETWORK', message: expect.stringContaining('503') })
    hub.onHub = (_, response) => Boolean(response.end('<html>'))
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_RESPONSE' })
    hub.onHub = (_, response) => Boolean(response.end('{"sha":"../../x","siblings":[]}'))
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_RESPONSE' })
  })

  test('offline: what is here, or an error', async () => {
    const hub = await hubWith()
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect(await failure(quick(NAME))).toMatchObject({ code: 'HUB_OFFLINE', message: expect.stringContaining('HF_HUB_OFFLINE') })
    expect(hub.requests).toEqual([])
    vi.stubEnv('HF_HUB_OFFLINE', '')
    const pulled = await quick(NAME)
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect(await quick(NAME)).toMatchObject({ path: pulled.path, commit: COMMIT })
  })

  test('a folder that cannot be written to', async () => {
    await hubWith()
    writeFileSync(join(cache, 'hub'), 'a file')
    expect(await failure(quick(NAME))).toMatchObject({ code: 'FILE_WRITE', message: expect.stringContaining('HF_HOME') })
  })

  test.each(['', 'a/b/c', '../x', 'org/na me', 'org/name@', 'org/name@../x', 'org/..'])('%j is no name', async (name) => {
    await hubWith()
    expect(await failure(quick(name))).toMatchObject({ code: 'OPTION_INVALID' })
  })
})
