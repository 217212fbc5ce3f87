import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { findLibtorch } from '../../src/libtorch/find.js'
import { cachedLibtorch } from '../../src/libtorch/folder.js'
import { type InstallEvent, type InstallOptions, installLibtorch } from '../../src/libtorch/install.js'
import { LIBTORCH_VERSION } from '../../src/libtorch/release.js'
import { fakePython, sendRange, serve, sha256, temporaryFolder, tinyLibtorch, tinyWheel, writeZip } from './helpers.js'

const network = { tries: 3, pause: 5, answerWithin: 2000, idleFor: 2000 }
const NAME = '/libtorch-tiny%2Bcpu.zip'
const WHEEL = `torch-${LIBTORCH_VERSION}+cpu-cp311-cp311-manylinux_2_28_x86_64.whl`

let folder: string
let cacheRoot: string
let archive: Buffer
let place: string
let events: InstallEvent[]

beforeEach(async () => {
  folder = temporaryFolder()
  cacheRoot = join(folder, 'cache')
  place = cachedLibtorch(cacheRoot)
  archive = await writeZip(join(folder, 'archive.zip'), tinyLibtorch('libtorch/', 400_000))
  events = []
})

const noPip = () => fakePython(folder, null)

function install(url: string | null, python: string, more: InstallOptions & { hash?: string } = {}) {
  const hash = more.hash ?? sha256(archive)
  const source = url === null ? null : { url, sha256: hash, bytes: archive.length }
  return installLibtorch({
    archive: source,
    hashes: [hash],
    cacheRoot,
    python,
    network,
    onProgress: (event) => events.push(event),
    ...more,
  })
}

/** What is left beside the installed folder: nothing should be. */
const leftovers = () => readdirSync(dirname(place)).filter((name) => join(dirname(place), name) !== place)

describe('the archive', () => {
  it('is downloaded, checked and unpacked: lib and include alone, without the parts for Python', async () => {
    const url = await serve((request, response) => sendRange(archive, request, response))
    const { python, calls } = noPip()
    const found = await install(url + NAME, python)

    expect(found).toMatchObject({ root: place, version: `${LIBTORCH_VERSION}+cpu`, headers: true, cuda: false, source: 'cache' })
    expect(readdirSync(place).sort()).toEqual(['include', 'lib', 'softprompt-libtorch.json'])
    expect(readdirSync(join(place, 'lib')).sort()).toEqual(['libc10.so', 'libgomp.so.1', 'libtorch_cpu.so'])
    expect(JSON.parse(readFileSync(join(place, 'softprompt-libtorch.json'), 'utf8'))).toEqual({
      version: `${LIBTORCH_VERSION}+cpu`,
      sha256: sha256(archive),
      file: 'libtorch-tiny+cpu.zip',
    })
    expect(leftovers()).toEqual([])
    expect(calls()).toEqual([])
    const downloaded = events.flatMap((event) => (event.status === 'download' ? [event.loaded] : []))
    expect(downloaded.at(-1)).toBe(archive.length)
    expect(downloaded).toEqual([...downloaded].sort((a, b) => a - b))
    expect(events.at(-1)).toMatchObject({ status: 'done', fresh: true })
  })

  it('is not fetched again where it is there, and the search finds it', async () => {
    let requests = 0
    const url = await serve((request, response) => {
      requests++
      sendRange(archive, request, response)
    })
    const { python } = noPip()
    await install(url + NAME, python)
    await install(url + NAME, python)
    expect(requests).toBe(1)
    expect(events.at(-1)).toMatchObject({ status: 'done', fresh: false })
    const { chosen } = await findLibtorch({ env: {}, cacheRoot })
    expect(chosen).toMatchObject({ root: place, source: 'cache' })
  })

  it('goes on after a connection that breaks in the middle', async () => {
    const ranges: (string | undefined)[] = []
    const url = await serve((request, response) => {
      ranges.push(request.headers.range)
      if (ranges.length > 1) return sendRange(archive, request, response)
      response.writeHead(200, { 'content-length': archive.length })
      response.write(archive.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 300))
    })
    await install(url + NAME, noPip().python)
    expect(ranges).toHaveLength(2)
    expect(ranges[0]).toBeUndefined()
    const from = Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1])
    expect(from).toBeGreaterThan(0)
    expect(from).toBeLessThanOrEqual(100_000)
  })

  it('goes on from what an earlier process left, and starts again where the server has no ranges', async () => {
    const part = join(dirname(place), 'libtorch-tiny+cpu.zip.part')
    mkdirSync(dirname(part), { recursive: true })
    writeFileSync(part, archive.subarray(0, 1234))
    const ranges: (string | undefined)[] = []
    const url = await serve((request, response) => {
      ranges.push(request.headers.range)
      response.writeHead(200, { 'content-length': archive.length })
      response.end(archive)
    })
    await install(url + NAME, noPip().python)
    expect(ranges).toEqual(['bytes=1234-'])
  })

  it('is refused and removed where it is not the known one', async () => {
    const url = await serve((request, response) => sendRange(archive, request, response))
    const { python, calls } = noPip()
    const failure = install(url + NAME, python, { hash: '0'.repeat(64) })
    await expect(failure).rejects.toMatchObject({
      name: 'LibTorchError',
      code: 'LIBTORCH_HASH',
      message: expect.stringContaining(sha256(archive)),
    })
    expect(calls()).toEqual([])
    expect(existsSync(place)).toBe(false)
    expect(leftovers()).toEqual([])
  })

  it('stops when it is told to, and keeps what has arrived', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': archive.length })
      response.write(archive.subarray(0, 50_000))
    })
    const controller = new AbortController()
    const failure = install(url + NAME, noPip().python, {
      signal: controller.signal,
      onProgress: (event) => event.status === 'download' && controller.abort(new Error('enough')),
    })
    await expect(failure).rejects.toThrow('enough')
    expect(leftovers()).toEqual(['libtorch-tiny+cpu.zip.part'])
  })
})

describe('the wheel', () => {
  it('is taken through pip where the archive is not to be had', async () => {
    const url = await serve((_request, response) => response.writeHead(404).end())
    const wheel = await writeZip(join(folder, WHEEL), tinyWheel(`${LIBTORCH_VERSION}+cpu`))
    const { python, calls } = fakePython(folder, join(folder, WHEEL))
    const found = await install(url + NAME, python, { hashes: [sha256(wheel)] })
    expect(found.version).toBe(`${LIBTORCH_VERSION}+cpu`)
    expect(calls()).toHaveLength(1)
    expect(calls()[0]).toContain(`-m pip download --no-deps --retries 0 torch==${LIBTORCH_VERSION} --dest`)
    expect(readdirSync(join(place, 'lib')).sort()).toEqual(['libc10.so', 'libgomp.so.1', 'libtorch_cpu.so'])
    expect(events).toContainEqual({ status: 'unavailable', from: url + NAME, reason: expect.stringContaining('404') })
    expect(leftovers()).toEqual([])
  })

  it('is taken where the server gives something else, such as a log-in page', async () => {
    const url = await serve((_request, response) => response.end('<html>Please log in</html>'))
    const wheel = await writeZip(join(folder, WHEEL), tinyWheel(`${LIBTORCH_VERSION}+cpu`))
    await install(url + NAME, fakePython(folder, join(folder, WHEEL)).python, { hashes: [sha256(wheel)] })
    expect(existsSync(place)).toBe(true)
  })

  it.each([
    ['by its version', `${LIBTORCH_VERSION}+cu130`, false],
    ['by its libraries', `${LIBTORCH_VERSION}+cpu`, true],
    ['the public default, which has no tag', LIBTORCH_VERSION, true],
  ])('is refused where it is a CUDA build: %s', async (_how, version, cuda) => {
    const wheel = await writeZip(join(folder, WHEEL), tinyWheel(version, { cuda }))
    const failure = install(null, fakePython(folder, join(folder, WHEEL)).python, { hashes: [sha256(wheel)] })
    await expect(failure).rejects.toMatchObject({ code: 'LIBTORCH_DOWNLOAD', message: expect.stringContaining('not the CPU build') })
    expect(existsSync(place)).toBe(false)
  })

  it('is refused where its hash is unknown, unless the user vouches for it', async () => {
    const wheel = await writeZip(join(folder, WHEEL), tinyWheel(`${LIBTORCH_VERSION}+cpu`))
    const { python } = fakePython(folder, join(folder, WHEEL))
    const failure = installLibtorch({ archive: null, cacheRoot, python })
    await expect(failure).rejects.toMatchObject({ code: 'LIBTORCH_HASH', message: expect.stringContaining('SOFTPROMPT_LIBTORCH_SHA256') })
    process.env.SOFTPROMPT_LIBTORCH_SHA256 = sha256(wheel)
    try {
      await installLibtorch({ archive: null, cacheRoot, python })
    } finally {
      delete process.env.SOFTPROMPT_LIBTORCH_SHA256
    }
    expect(existsSync(place)).toBe(true)
  })
})

it('says what both sources answered and what to do, where neither serves', async () => {
  const url = await serve((_request, response) => response.writeHead(503).end())
  const failure = await install(url + NAME, noPip().python).catch((error) => error)
  expect(failure).toMatchObject({ name: 'LibTorchError', code: 'LIBTORCH_DOWNLOAD' })
  for (const part of [url + NAME, '503', 'pip download', 'No matching distribution', 'SOFTPROMPT_LIBTORCH', 'HTTPS_PROXY']) {
    expect(failure.message).toContain(part)
  }
})

it('says so where there is no Python either', async () => {
  await expect(install(null, join(folder, 'no-such-python'))).rejects.toMatchObject({
    code: 'LIBTORCH_DOWNLOAD',
    message: expect.stringContaining('could not be run'),
  })
})

it('installs once where two ask at the same time', async () => {
  let requests = 0
  const url = await serve((request, response) => {
    requests++
    setTimeout(() => sendRange(archive, request, response), 100)
  })
  const { python } = noPip()
  const both = await Promise.all([install(url + NAME, python), install(url + NAME, python)])
  expect(both[0].root).toBe(both[1].root)
  expect(requests).toBe(1)
  expect(events.filter((event) => event.status === 'waiting')).toHaveLength(1)
})
