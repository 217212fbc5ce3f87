// Builds binding/ with cmake-js: the loader (build/Release/softprompt.node), the addon (softprompt_core.so beside it) and core's tests
// (build/core_tests). LibTorch comes from SOFTPROMPT_LIBTORCH, else from where `src/libtorch` finds it (so lib/ must have been built). What is given goes on
// to cmake-js (--arch, --debug).
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { clean, fail, has, root, rootPath, run } from './shared.mjs'

if (!has('cmake')) fail('cmake is not installed; it builds the native module (Debian: apt-get install cmake make g++)')

async function libtorch() {
  if (process.env.SOFTPROMPT_LIBTORCH) return process.env.SOFTPROMPT_LIBTORCH
  const built = new URL('lib/libtorch.js', root)
  if (!existsSync(built)) fail('lib/ has not been built: run `npm run build:ts` first, or set SOFTPROMPT_LIBTORCH')
  const { findLibtorch } = await import(built.href)
  const { chosen } = await findLibtorch()
  return chosen?.root ?? fail('LibTorch was not found: run `npm run prepare`, or set SOFTPROMPT_LIBTORCH to a LibTorch folder')
}

/** CMake refuses to change the generator of a build folder, so a folder made with another one goes. */
function cleanIfMadeWithAnother(generator) {
  const cache = new URL('build/CMakeCache.txt', root)
  if (existsSync(cache) && !readFileSync(cache, 'utf8').includes(`CMAKE_GENERATOR:INTERNAL=${generator}\n`)) clean('build')
}

const make = process.platform === 'win32' ? 'NMake Makefiles' : 'Unix Makefiles'
const generator = has('ninja') ? 'Ninja' : make
cleanIfMadeWithAnother(generator)
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
const options = [
  ...process.argv.slice(2),
  '-G',
  generator,
  '--parallel',
  String(availableParallelism()),
  `--CDLIBTORCH=${await libtorch()}`,
]
if (process.platform === 'win32') options.push('--CDCMAKE_MSVC_RUNTIME_LIBRARY=MultiThreadedDLL') // as LibTorch has it; cmake-js would link its own
const env = { CCACHE_BASEDIR: rootPath, CCACHE_NOHASHDIR: '1' }
run(process.execPath, [cmakeJs, 'configure', ...options], { env })
run(process.execPath, [cmakeJs, 'build', ...options], { env })
