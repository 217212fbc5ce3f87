import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { type FoundLibtorch, findLibtorch, type LibtorchSearch } from '../../src/libtorch/find.js'
import { openNative } from '../../src/libtorch/load.js'
import { REQUIRED_LIBRARIES } from '../../src/libtorch/release.js'
import { temporaryFolder } from './helpers.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const loader = join(root, 'build/Release/softprompt.node')

let folder: string
beforeEach(() => {
  folder = temporaryFolder()
})

function searchIn(lib: string): LibtorchSearch {
  const chosen = { source: 'environment', root: folder, lib, version: null, headers: false, cuda: false } as const
  return { chosen, places: [], advice: null }
}

/** Runs an ES module's text in a process of its own, at the root of the repository; gives what it prints. */
async function run(code: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { cwd: root, env: { ...process.env, ...env } }
  return (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], options)).stdout.trim()
}

describe('what goes wrong is a typed error', () => {
  it('no LibTorch at all: where it was looked for, and what to do', async () => {
    const search = await findLibtorch({ env: { SOFTPROMPT_LIBTORCH: join(folder, 'nowhere') } })
    expect(() => openNative(loader, search)).toThrow(
      expect.objectContaining({
        name: 'LibTorchError',
        code: 'LIBTORCH_NOT_FOUND',
        message: expect.stringContaining('nowhere: the folder does not exist'),
      }),
    )
  })

  it('a folder without it', () => {
    expect(() => openNative(loader, searchIn(join(folder, 'lib')))).toThrow(
      expect.objectContaining({
        name: 'LibTorchError',
        code: 'LIBTORCH_BROKEN',
        message: expect.stringContaining('cannot open shared object file'),
      }),
    )
  })

  it('libraries that are none', () => {
    mkdirSync(join(folder, 'lib'))
    for (const name of REQUIRED_LIBRARIES)
      writeFileSync(join(folder, 'lib', name), 'not a library, though long enough to hold the header of one'.repeat(4))
    expect(() => openNative(loader, searchIn(join(folder, 'lib')))).toThrow(
      expect.objectContaining({ code: 'LIBTORCH_BROKEN', message: expect.stringContaining('invalid ELF header') }),
    )
  })

  it('a loader without the addon beside it', async () => {
    copyFileSync(loader, join(folder, 'softprompt.node'))
    const search = await findLibtorch()
    expect(() => openNative(join(folder, 'softprompt.node'), search)).toThrow(
      expect.objectContaining({ name: 'LibTorchError', code: 'ADDON_MISSING', message: expect.stringContaining('softprompt_core.so') }),
    )
  })
})

// Electron has no other symbols to offer than Node-API's, and LibTorch is opened by the loader alone.
describe('the built modules ask for nothing but', () => {
  const undefinedSymbols = async (name: string) => {
    const { stdout } = await promisify(execFile)('nm', [
      '-D',
      '--undefined-only',
      '--format=just-symbols',
      join(root, 'build/Release', name),
    ])
    return stdout.split('\n').filter(Boolean)
  }
  const foreign = /^(uv_|_ZN?K?2v8|_ZN?K?4node|g_)|softprompt/

  it('Node-API and the C++ runtime: the loader', async () => {
    const symbols = await undefinedSymbols('softprompt.node')
    expect(symbols).toContain('napi_throw_error')
    expect(symbols.filter((symbol) => foreign.test(symbol) || /c10|2at|5torch/.test(symbol))).toEqual([])
  })

  it('Node-API, the C++ runtime and LibTorch: the addon', async () => {
    const symbols = await undefinedSymbols('softprompt_core.so')
    expect(symbols.some((symbol) => symbol.startsWith('_ZN2at'))).toBe(true)
    expect(symbols.filter((symbol) => foreign.test(symbol))).toEqual([])
  })
})

const MAPPED = "fs.readFileSync('/proc/self/maps', 'utf8').includes('libtorch_cpu')"

describe('the built package', () => {
  it('does not load LibTorch when it is imported', async () => {
    expect(await run(`import fs from 'node:fs'; await import('./lib/index.js'); console.log(${MAPPED})`)).toBe('false')
  })

  it('does not load LibTorch when it is required', async () => {
    const code = `import fs from 'node:fs'; import { createRequire } from 'node:module'
      createRequire(process.cwd() + '/x.js')('./lib/index.cjs'); console.log(${MAPPED})`
    expect(await run(code)).toBe('false')
  })

  it('loads it at the first use, once, with threads of OpenMP that do not spin', async () => {
    const code = `import fs from 'node:fs'; const { loadNative } = await import('./lib/libtorch.js')
      const both = await Promise.all([loadNative(), loadNative()])
      console.log(${MAPPED}, both[0] === both[1], typeof both[0].loadModel, process.env.OMP_WAIT_POLICY)`
    expect(await run(code, { OMP_WAIT_POLICY: undefined })).toBe('true true function passive')
    expect(await run(code, { OMP_WAIT_POLICY: 'active' })).toBe('true true function active')
  })

  it('opens what LibTorch has for GPUs where there is a driver, so that it can register itself', async () => {
    const compile = (path: string) => execFileSync('cc', ['-shared', '-fPIC', '-nostdlib', '-x', 'c', '/dev/null', '-o', path])
    mkdirSync(join(folder, 'lib'))
    const { lib } = (await findLibtorch()).chosen as FoundLibtorch
    for (const name of readdirSync(lib)) symlinkSync(join(lib, name), join(folder, 'lib', name))
    for (const name of ['lib/libtorch_cuda.so', 'libcuda.so.1']) compile(join(folder, name))
    const code = `import fs from 'node:fs'; await (await import('./lib/libtorch.js')).loadNative()
      console.log(fs.readFileSync('/proc/self/maps', 'utf8').includes('libtorch_cuda'))`
    expect(await run(code, { SOFTPROMPT_LIBTORCH: folder })).toBe('false')
    expect(await run(code, { SOFTPROMPT_LIBTORCH: folder, LD_LIBRARY_PATH: folder })).toBe('true')
  })

  it('loads in several Workers at once, and outlives them', async () => {
    const code = `import { Worker } from 'node:worker_threads'
      const source = "import('./lib/libtorch.js').then((m) => m.loadNative()).then(async (n) => (await import('node:worker_threads')).parentPort.postMessage(n.versions().libtorch))"
      const one = () => new Promise((resolve, reject) => {
        let answer
        new Worker(source, { eval: true }).on('message', (text) => { answer = text }).on('error', reject).on('exit', () => resolve(answer))
      })
      const first = await Promise.all([one(), one(), one()])
      const { loadNative } = await import('./lib/libtorch.js')
      console.log(new Set([...first, await one(), (await loadNative()).versions().libtorch]).size, first[0])`
    expect(await run(code)).toMatch(/^1 2\.13\./)
  })
})
