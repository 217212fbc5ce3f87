import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { unpackedPath } from './asar.js'
import { cachedCuda, cachedLibtorch, inspectFolder, isBarred, type LibtorchFolder, NOTHING_INSTALLED, readMarker } from './folder.js'
import { CUDA_BUILDS, LIBTORCH_MINOR } from './release.js'

export type LibtorchSource = 'environment' | 'package' | 'cache' | 'python'

export interface FoundLibtorch extends LibtorchFolder {
  source: LibtorchSource
}

/** One place that was looked at: what was found there, or why it does not serve. */
export interface LibtorchPlace {
  source: LibtorchSource
  /** The folder, the variable, the package or the program. */
  where: string
  found: FoundLibtorch | null
  problem: string | null
}

export interface LibtorchSearch {
  chosen: FoundLibtorch | null
  /** In the order of preference; without `all`, those after the chosen one are not looked at. */
  places: LibtorchPlace[]
  /** What to do where nothing was chosen, or where what was chosen may not fit; else null. */
  advice: string | null
}

export interface FindOptions {
  /** Look at every place, for a report. */
  all?: boolean
  /** Only a LibTorch that one can compile with will do. */
  headers?: boolean
  env?: NodeJS.ProcessEnv
  cacheRoot?: string
  /** The Python interpreter to ask. */
  python?: string
}

/**
 * Finds LibTorch without loading it: `SOFTPROMPT_LIBTORCH`; a build with CUDA in the user's cache; the optional package
 * `@softprompt/libtorch-<platform>-<arch>`; the user's cache, filled by `softprompt libtorch install`; a PyTorch of the same minor version in the user's
 * Python. A variable that is set but leads nowhere ends the search: to take another LibTorch than the one asked for would hide the mistake.
 */
export async function findLibtorch(options: FindOptions = {}): Promise<LibtorchSearch> {
  const places: LibtorchPlace[] = []
  for (const look of [inEnvironment, inCudaCache, inPackage, inCache, inPython]) {
    const place = await look(options)
    if (place?.found && options.headers && !place.found.headers) {
      place.found = null
      place.problem = 'it has no headers to compile with (include/)'
    }
    if (place) places.push(place)
    const last = place?.found || place?.source === 'environment'
    if (last && !options.all) break
  }
  const insisted = places.find((place) => place.source === 'environment')
  const chosen = insisted ? insisted.found : (places.find((place) => place.found)?.found ?? null)
  return { chosen, places, advice: advise(chosen, places) }
}

function inEnvironment({ env = process.env }: FindOptions): LibtorchPlace | null {
  const root = env.SOFTPROMPT_LIBTORCH
  return root ? place('environment', `SOFTPROMPT_LIBTORCH=${root}`, root) : null
}

function inPackage(): LibtorchPlace {
  const name = `@softprompt/libtorch-${process.platform}-${process.arch}`
  try {
    return place('package', name, unpackedPath(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))))
  } catch {
    return { source: 'package', where: name, found: null, problem: 'the package is not installed' }
  }
}

/** A build with CUDA is there because the user asked for it, whatever came with the package. */
function inCudaCache({ cacheRoot }: FindOptions): LibtorchPlace | null {
  const roots = Object.keys(CUDA_BUILDS).map((build) => join(cachedCuda(build, cacheRoot), 'torch'))
  const root = roots.find((root) => readMarker(root) && 'lib' in inspectFolder(root))
  return root ? place('cache', root, root) : null
}

function inCache({ cacheRoot }: FindOptions): LibtorchPlace {
  const root = cachedLibtorch(cacheRoot)
  if (readMarker(root)) return place('cache', root, root)
  return { source: 'cache', where: root, found: null, problem: isBarred(root) ? 'may not be read (EACCES)' : NOTHING_INSTALLED }
}

// Only asks where the package is: importing torch would take seconds.
const WHERE_IS_TORCH = 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")'

async function inPython({ python = 'python3' }: FindOptions): Promise<LibtorchPlace> {
  const where = `torch in ${python}`
  const none = (problem: string) => ({ source: 'python', where, found: null, problem }) as const
  let root: string
  try {
    root = (await promisify(execFile)(python, ['-c', WHERE_IS_TORCH], { timeout: 10_000 })).stdout.trim()
  } catch {
    return none(`${python} could not be run`)
  }
  if (!root) return none('it has no torch')
  const found = place('python', `${where}: ${root}`, root)
  const version = found.found?.version ?? 'unknown'
  if (found.found && !isMinor(version)) return none(`its torch is version ${version}, and ${LIBTORCH_MINOR} is needed`)
  return found
}

function place(source: LibtorchSource, where: string, root: string): LibtorchPlace {
  const folder = inspectFolder(root)
  if ('problem' in folder) return { source, where, found: null, problem: folder.problem }
  return { source, where, found: { ...folder, source }, problem: null }
}

const isMinor = (version: string) => version.startsWith(`${LIBTORCH_MINOR}.`)

function advise(chosen: FoundLibtorch | null, places: LibtorchPlace[]): string | null {
  const insisted = places.find((place) => place.source === 'environment')
  if (!chosen && insisted) {
    return `Set SOFTPROMPT_LIBTORCH to a folder that holds LibTorch's lib/ (and include/, to build), or unset it and run \`softprompt libtorch install\`.`
  }
  if (!chosen) return `Run \`softprompt libtorch install\`, or set SOFTPROMPT_LIBTORCH to the folder of a LibTorch ${LIBTORCH_MINOR}.`
  if (chosen.version && !isMinor(chosen.version)) {
    return `LibTorch ${chosen.version} is not a ${LIBTORCH_MINOR}: it serves only a native module that was built with it (\`npm run build:native\` in a clone).`
  }
  return null
}
