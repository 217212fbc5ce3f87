import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LibTorchError } from '../errors.js'
import type { Native } from '../native.js'
import { unpackedPath } from './asar.js'
import { type FoundLibtorch, findLibtorch, type LibtorchSearch } from './find.js'

/** What of a LibTorch with CUDA could not be opened, in the dynamic linker's words: NVIDIA's driver, or `libtorch_cuda` itself. */
export interface CudaProblem {
  part: 'driver' | 'libtorch_cuda'
  message: string
}

interface Loader {
  open(libtorchLibDir: string, corePath: string): Native
  openCuda(libtorchLibDir: string): CudaProblem | null
}

let native: Promise<Native> | undefined
let cuda: CudaProblem | null = null

/** Why the LibTorch that was opened goes without its CUDA part; null where it has none, or where that was opened too. */
export const cudaProblem = (): CudaProblem | null => cuda

/**
 * The native module, with LibTorch loaded under it: found and opened at the first call, the same object ever after. Importing the package loads nothing.
 * A failure is not remembered, so that a program can install LibTorch and try again.
 *
 * @throws LibTorchError LIBTORCH_NOT_FOUND, LIBTORCH_BROKEN or ADDON_MISSING
 */
export function loadNative(): Promise<Native> {
  native ??= load().catch((error: unknown) => {
    native = undefined
    throw error
  })
  return native
}

async function load(): Promise<Native> {
  const loaderPath = findLoader(packageRoot())
  return openNative(loaderPath, await findLibtorch())
}

const CORE_SUFFIX = { darwin: '.dylib', win32: '.dll' }[process.platform as string] ?? '.so'

function requireLoader(path: string): Loader {
  try {
    return createRequire(import.meta.url)(path) as Loader
  } catch (cause) {
    throw new LibTorchError('ADDON_MISSING', `The native module could not be opened: ${(cause as Error).message}.`, { cause })
  }
}

/** Opens LibTorch and the addon through the loader, softprompt.node; and what LibTorch has for GPUs, where there is a driver for them. */
export function openNative(loaderPath: string, search: LibtorchSearch): Native {
  if (!search.chosen) throw notFound(search)
  const { open, openCuda } = requireLoader(loaderPath)
  try {
    const opened = open(search.chosen.lib, join(dirname(loaderPath), `softprompt_core${CORE_SUFFIX}`))
    cuda = search.chosen.cuda ? openCuda(search.chosen.lib) : null
    return opened
  } catch (error) {
    throw explain(error, search.chosen, search.advice)
  }
}

/** The folder of this package, from wherever this file was bundled to. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'softprompt') return folder
    if (folder === dirname(folder))
      throw new LibTorchError('ADDON_MISSING', 'The folder of the package softprompt was not found: install it again.')
  }
}

/** `build/Release` of a clone, else the prebuilt for this platform. */
function findLoader(root: string): string {
  const { path } = createRequire(import.meta.url)('node-gyp-build') as { path(folder: string): string }
  try {
    return unpackedPath(path(root))
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`
    const advice = 'Build it in a clone with `npm ci`, or use a platform that the package has a prebuilt for (folder prebuilds/).'
    throw new LibTorchError('ADDON_MISSING', `There is no native module for ${platform} in ${root}. ${advice}`, { cause })
  }
}

function notFound({ places, advice }: LibtorchSearch): LibTorchError {
  const looked = places.map(({ where, problem }) => `  ${where}: ${problem}`)
  return new LibTorchError('LIBTORCH_NOT_FOUND', [`LibTorch was not found. ${advice}`, 'Looked at:', ...looked].join('\n'))
}

function explain(error: unknown, libtorch: FoundLibtorch, advice: string | null): unknown {
  const { code, message } = error as { code?: string; message?: string }
  if (code === 'ADDON_MISSING') {
    return new LibTorchError(code, `The native module could not be opened: ${message}. Build it again with \`npm run build:native\`.`, {
      cause: error,
    })
  }
  if (code !== 'LIBTORCH_BROKEN') return error
  const next = advice ?? 'Install it again with `softprompt libtorch install`, or set SOFTPROMPT_LIBTORCH to another LibTorch 2.13.'
  return new LibTorchError(code, `LibTorch in ${libtorch.lib} could not be opened: ${message}. ${next}`, { cause: error })
}
