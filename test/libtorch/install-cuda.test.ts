// With pip itself, which finds small wheels of ours alone.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findLibtorch } from '../../src/libtorch/find.js'
import { cachedCuda } from '../../src/libtorch/folder.js'
import type { InstallEvent } from '../../src/libtorch/install.js'
import { installCuda } from '../../src/libtorch/install-cuda.js'
import { CUDA_LIBRARY, LIBTORCH_VERSION } from '../../src/libtorch/release.js'
import { sha256, temporaryFolder, tinyLibrary, tinyLibtorch, writeZip } from './helpers.js'

const VERSION = `${LIBTORCH_VERSION}+cu130`

let folder: string
let cacheRoot: string
let wheel: Buffer
let events: InstallEvent[]

/** A wheel that pip installs on every system. */
function writeWheel(name: string, version: string, requires: string[], files: Record<string, string | Buffer>): Promise<Buffer> {
  const information = `${name}-${version}.dist-info`
  const metadata = [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${version}`,
    ...requires.map((one) => `Requires-Dist: ${one}`),
    'Provides-Extra: nvrtc',
    '',
  ]
  return writeZip(join(folder, 'wheels', `${name}-${version}-py3-none-any.whl`), {
    ...files,
    [`${information}/METADATA`]: metadata.join('\n'),
    [`${information}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${information}/RECORD`]: '',
  })
}

beforeEach(async () => {
  folder = temporaryFolder()
  cacheRoot = join(folder, 'cache')
  events = []
  mkdirSync(join(folder, 'wheels'))
  const requires = ['sympy', "nvidia-cublas==99.1; platform_system == 'Linux'", 'cuda-toolkit[nvrtc]==99.0', 'cuda-bindings<100']
  wheel = await writeWheel('torch', VERSION, requires, { ...tinyLibtorch('torch/'), [`torch/lib/${CUDA_LIBRARY}`]: tinyLibrary() })
  await writeWheel('nvidia_cublas', '99.1', [], { 'nvidia/cu13/lib/libcublas.so.99': 'library cublas' })
  await writeWheel('nvidia_cublas', '99.2', [], { 'nvidia/cu13/lib/libcublas.so.99': 'another one' })
  await writeWheel('cuda_toolkit', '99.0', ["nvidia-cuda-nvrtc==99.5; extra == 'nvrtc'"], {})
  await writeWheel('nvidia_cuda_nvrtc', '99.5', [], { 'nvidia/cu13/lib/libnvrtc.so.99': 'library nvrtc' })
  for (const [name, value] of Object.entries({ PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(folder, 'wheels'), PIP_CONFIG_FILE: '/dev/null' }))
    vi.stubEnv(name, value)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const install = (hash = sha256(wheel)) => installCuda('cu130', { cacheRoot, hashes: [hash], onProgress: (event) => events.push(event) })

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('a LibTorch with CUDA', () => {
  it('is put beside the libraries of NVIDIA that its wheel names, where it looks for them, and is preferred', async () => {
    const found = await install()
    const place = cachedCuda('cu130', cacheRoot)
    expect(found).toMatchObject({ root: join(place, 'torch'), version: VERSION, headers: true, cuda: true, source: 'cache' })
    expect(readdirSync(join(place, 'torch')).sort()).toEqual(['include', 'lib', 'softprompt-libtorch.json'])
    const beside = join(place, 'torch', 'lib', '../../nvidia/cu13/lib')
    expect(readFileSync(join(beside, 'libcublas.so.99'), 'utf8')).toBe('library cublas')
    expect(existsSync(join(beside, 'libnvrtc.so.99'))).toBe(true)
    expect(readdirSync(join(cacheRoot, 'libtorch'))).toEqual([basename(place)])
    expect((await findLibtorch({ env: {}, cacheRoot })).chosen).toMatchObject({ root: found.root, source: 'cache', cuda: true })

    await install()
    expect(events.at(-1)).toMatchObject({ status: 'done', fresh: false })
  })

  it('is refused, and removed, where its wheel is not a known one', async () => {
    const refused = { code: 'LIBTORCH_HASH', message: expect.stringContaining(`${sha256(wheel)}, which this version does not know`) }
    await expect(install('0'.repeat(64))).rejects.toMatchObject(refused)
    expect(existsSync(cachedCuda('cu130', cacheRoot))).toBe(false)
    expect(readdirSync(join(cacheRoot, 'libtorch', 'wheels-cu130'))).toEqual([])
  })

  it('is an error with what pip said where its wheels are not to be had', async () => {
    vi.stubEnv('PIP_FIND_LINKS', folder)
    const missing = {
      code: 'LIBTORCH_DOWNLOAD',
      message: expect.stringMatching(/cu130.*No matching distribution found for torch==.*PIP_FIND_LINKS/s),
    }
    await expect(install()).rejects.toMatchObject(missing)
  })

  it('that is unknown names those that are known', async () => {
    await expect(installCuda('cu99')).rejects.toMatchObject({ code: 'LIBTORCH_DOWNLOAD', message: expect.stringContaining('cu130') })
  })
})
