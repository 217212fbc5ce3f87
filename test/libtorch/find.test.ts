import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { unpackedPath } from '../../src/libtorch/asar.js'
import { findLibtorch } from '../../src/libtorch/find.js'
import { cachedLibtorch } from '../../src/libtorch/folder.js'
import { CUDA_LIBRARY, REQUIRED_LIBRARIES } from '../../src/libtorch/release.js'
import { temporaryFolder, tinyLibrary } from './helpers.js'

let folder: string
let cacheRoot: string
const env = {}

beforeEach(() => {
  folder = temporaryFolder()
  cacheRoot = join(folder, 'cache')
})

function makeLibtorch(root: string, files: Record<string, string | Buffer> = {}): string {
  for (const name of REQUIRED_LIBRARIES) files[`lib/${name}`] ??= tinyLibrary()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

/** A stand-in for Python that says where its torch is. */
function pythonWithTorch(root: string): string {
  const python = join(folder, 'python3')
  writeFileSync(python, `#!/bin/sh\necho "${root}"\n`)
  chmodSync(python, 0o755)
  return python
}

it('prefers the variable, then the cache, then Python', async () => {
  const named = makeLibtorch(join(folder, 'named'), { 'build-version': '2.13.0+cpu\n' })
  makeLibtorch(cachedLibtorch(cacheRoot), { 'softprompt-libtorch.json': JSON.stringify({ version: '2.13.0+cpu' }) })
  const python = pythonWithTorch(
    makeLibtorch(join(folder, 'torch'), { 'version.py': "__version__ = '2.13.1+cu130'\n", [`lib/${CUDA_LIBRARY}`]: '' }),
  )

  const search = await findLibtorch({ all: true, env: { SOFTPROMPT_LIBTORCH: named }, cacheRoot, python })
  expect(search.chosen).toMatchObject({ source: 'environment', root: named, lib: join(named, 'lib'), version: '2.13.0+cpu' })
  expect(search.places.map(({ source, found }) => [source, found?.version ?? null])).toEqual([
    ['environment', '2.13.0+cpu'],
    ['package', null],
    ['cache', '2.13.0+cpu'],
    ['python', '2.13.1+cu130'],
  ])
  expect((await findLibtorch({ env, cacheRoot, python })).chosen?.source).toBe('cache')
  expect((await findLibtorch({ env, cacheRoot: join(folder, 'none'), python })).chosen).toMatchObject({ source: 'python', cuda: true })
})

it('does not look further where the variable leads nowhere', async () => {
  makeLibtorch(cachedLibtorch(cacheRoot), { 'softprompt-libtorch.json': '{"version":"2.13.0"}' })
  const { chosen, places, advice } = await findLibtorch({ env: { SOFTPROMPT_LIBTORCH: join(folder, 'nowhere') }, cacheRoot })
  expect(chosen).toBeNull()
  expect(places).toHaveLength(1)
  expect(places[0]?.problem).toBe('the folder does not exist')
  expect(advice).toContain('SOFTPROMPT_LIBTORCH')
})

it('names the libraries that a folder lacks', async () => {
  mkdirSync(join(folder, 'lib'))
  const { places } = await findLibtorch({ env: { SOFTPROMPT_LIBTORCH: folder } })
  expect(places[0]?.problem).toBe(`lib/ lacks ${REQUIRED_LIBRARIES.join(' and ')}`)
})

it('passes over a Python whose torch is of another minor version, and a cache that was not finished', async () => {
  makeLibtorch(cachedLibtorch(cacheRoot))
  const python = pythonWithTorch(makeLibtorch(join(folder, 'torch'), { 'version.py': "__version__ = '2.12.1'\n" }))
  const { chosen, places, advice } = await findLibtorch({ env, cacheRoot, python })
  expect(chosen).toBeNull()
  expect(places.at(-1)?.problem).toBe('its torch is version 2.12.1, and 2.13 is needed')
  expect(advice).toContain('softprompt libtorch install')
})

it('wants headers where it is to be compiled with, and reads the version from them', async () => {
  const bare = makeLibtorch(join(folder, 'bare'))
  expect((await findLibtorch({ headers: true, env: { SOFTPROMPT_LIBTORCH: bare } })).chosen).toBeNull()
  const version = '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 12\n#define TORCH_VERSION_PATCH 1\n'
  const whole = makeLibtorch(join(folder, 'whole'), { 'include/ATen/ATen.h': '', 'include/torch/headeronly/version.h': version })
  const { chosen, advice } = await findLibtorch({ headers: true, env: { SOFTPROMPT_LIBTORCH: whole } })
  expect(chosen).toMatchObject({ version: '2.12.1', headers: true })
  expect(advice).toContain('is not a 2.13')
})

it("leads out of Electron's archive", () => {
  expect(unpackedPath('/app/resources/app.asar/node_modules/x/y.node')).toBe('/app/resources/app.asar.unpacked/node_modules/x/y.node')
  expect(unpackedPath('/home/my.asarium/y.node')).toBe('/home/my.asarium/y.node')
})
