import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import envPaths from 'env-paths'
import { libraryProblem } from './library-file.js'
import { CUDA_LIBRARY, LIBTORCH_VERSION, REQUIRED_LIBRARIES } from './release.js'

/** Written into a LibTorch that this package unpacked, last of all: a folder without it is not finished. */
export const MARKER = 'softprompt-libtorch.json'

export interface Marker {
  version: string
  /** Of the archive or wheel that it was unpacked from. */
  sha256: string
  file: string
}

/** A LibTorch folder: `root/lib` has the libraries, `root/include` the headers (a folder made for running alone has none). */
export interface LibtorchFolder {
  root: string
  lib: string
  /** As the folder itself says, such as '2.13.0+cpu'; null where it does not say. */
  version: string | null
  headers: boolean
  cuda: boolean
}

/** The folder as a LibTorch, or the reason why it is none. */
export function inspectFolder(root: string): LibtorchFolder | { problem: string } {
  const lib = join(root, 'lib')
  if (!existsSync(root)) return { problem: 'the folder does not exist' }
  const missing = REQUIRED_LIBRARIES.filter((name) => !existsSync(join(lib, name)))
  if (missing.length > 0) return { problem: `lib/ lacks ${missing.join(' and ')}` }
  for (const name of REQUIRED_LIBRARIES) {
    const problem = libraryProblem(join(lib, name))
    if (problem) return { problem: `lib/${name} ${problem}` }
  }
  const headers = existsSync(join(root, 'include', 'ATen', 'ATen.h'))
  return { root, lib, version: versionOf(root), headers, cuda: existsSync(join(lib, CUDA_LIBRARY)) }
}

/** Where a build of LibTorch is put, in the user's cache folder. One for each platform, since a home folder may be shared. */
function placeOf(build: string, cacheRoot = envPaths('softprompt', { suffix: '' }).cache): string {
  return join(cacheRoot, 'libtorch', `${LIBTORCH_VERSION}-${build}-${process.platform}-${process.arch}`)
}

/** Where `installLibtorch` puts the one for the CPU. */
export const cachedLibtorch = (cacheRoot?: string): string => placeOf('cpu', cacheRoot)

/** Where `installCuda` puts a build with CUDA: the LibTorch is `torch/` in it, and beside that are NVIDIA's libraries, where its own look for them. */
export const cachedCuda = (build: string, cacheRoot?: string): string => placeOf(build, cacheRoot)

/** What is said of a cache that nobody has filled. */
export const NOTHING_INSTALLED = 'nothing is installed there'

/** Is a folder there, but barred from this user? (To `existsSync` it would seem not to be there.) */
export function isBarred(root: string): boolean {
  try {
    accessSync(root, constants.R_OK | constants.X_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

export function readMarker(root: string): Marker | null {
  try {
    return JSON.parse(readFileSync(join(root, MARKER), 'utf8')) as Marker
  } catch {
    return null
  }
}

/** From our marker, an archive's build-version, a Python package's version.py, or the headers. */
function versionOf(root: string): string | null {
  const marked = readMarker(root)?.version
  if (marked) return marked
  const archive = read(join(root, 'build-version'))?.trim()
  if (archive) return archive
  const python = /^__version__ = '([^']+)'/m.exec(read(join(root, 'version.py')) ?? '')?.[1]
  return python ?? versionOfHeaders(read(join(root, 'include', 'torch', 'headeronly', 'version.h')) ?? '')
}

function versionOfHeaders(text: string): string | null {
  const numbers = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1])
  return numbers.every(Boolean) ? numbers.join('.') : null
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
