import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { FoundLibtorch, LibtorchSearch, LibtorchSource } from './find.js'
import { cachedLibtorch, NOTHING_INSTALLED } from './folder.js'
import type { CudaProblem } from './load.js'
import { isMusl } from './musl.js'
import { LIBTORCH_VERSION } from './release.js'

/** Bytes that `softprompt libtorch install` needs for a moment: the archive and what is in it. */
export const ROOM_TO_INSTALL = 900e6

/** Something that stands in the way, or that costs speed, and the command that mends it. */
export interface Trouble {
  message: string
  command: string
}

const INSTALL = 'npx softprompt libtorch install'
const DEBIAN = 'docker run --rm -it -v "$PWD:/app" -w /app node:22-bookworm npx softprompt doctor'

/** What to do where no LibTorch was chosen. `packageRoot`: of this package; `cacheRoot`: of the user's cache. */
export function whereNotFound({ places }: LibtorchSearch, packageRoot: string, cache = cachedLibtorch()): Trouble {
  const problem = (source: LibtorchSource) => places.find((place) => place.source === source)?.problem
  const inCache = problem('cache')
  if (problem('environment')) return { message: `SOFTPROMPT_LIBTORCH: ${problem('environment')}.`, command: 'unset SOFTPROMPT_LIBTORCH' }
  if (inCache?.includes('may not be read'))
    return { message: `The cache ${cache} ${inCache}.`, command: `sudo chown -R "$(id -u)" '${dirname(dirname(cache))}'` }
  if (inCache && inCache !== NOTHING_INSTALLED) return { message: `LibTorch in ${cache} cannot be used: ${inCache}.`, command: INSTALL }
  const optional = missingPackage(packageRoot)
  if (optional)
    return { message: `The optional dependency ${optional} is not installed.`, command: `npm install --include=optional ${optional}` }
  const free = freeBytes(cache)
  if (free !== null && free < ROOM_TO_INSTALL) {
    const message = `The disk of ${cache} has ${Math.floor(free / 1e6)} MB free, and LibTorch needs ${ROOM_TO_INSTALL / 1e6} MB.`
    return { message, command: `XDG_CACHE_HOME=/a/folder/with/room ${INSTALL}` }
  }
  return { message: 'There is none on this machine.', command: INSTALL }
}

/** LibTorch's package for this platform, where this package names it as an optional dependency (a clone does not). */
function missingPackage(packageRoot: string): string | null {
  const name = `@softprompt/libtorch-${process.platform}-${process.arch}`
  const manifest = JSON.parse(readFileSync(`${packageRoot}/package.json`, 'utf8')) as {
    optionalDependencies?: Record<string, string>
  }
  const version = manifest.optionalDependencies?.[name]
  return version ? `${name}@${version}` : null
}

/** Of the file system that the path is on, or would be. */
function freeBytes(path: string): number | null {
  let folder = resolve(path)
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return null
  }
}

/** What to do where the loader, LibTorch or the addon could not be opened: told by the dynamic linker's words. */
export function whereNotOpened(message: string, libtorch: FoundLibtorch | null): Trouble {
  const old = /version `((?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found/.exec(message)?.[1]
  if (old) return { message: `This system's C or C++ library is too old: ${old} is needed.`, command: DEBIAN }
  if (isMusl()) return { message: 'This system has the C library musl, and there is an addon for glibc alone.', command: DEBIAN }
  if (/failed to map segment|Operation not permitted/.test(message)) {
    const mount = libtorch ? mountOf(libtorch.lib) : '/'
    return { message: `Programs may not be run from ${mount} (mounted noexec).`, command: `sudo mount -o remount,exec '${mount}'` }
  }
  if (!libtorch || message.includes('softprompt.node'))
    return { message: 'The package has no addon that fits.', command: 'npm install --force softprompt' }
  return { message: `LibTorch in ${libtorch.lib} does not fit.`, command: instead(libtorch.source) }
}

/** What makes another LibTorch than one of this source be taken. */
export const instead = (source: LibtorchSource) => (source === 'environment' ? 'unset SOFTPROMPT_LIBTORCH' : INSTALL)

/** What makes one without CUDA be taken instead of this one. */
const withoutCuda = ({ source, root }: FoundLibtorch) => (source === 'cache' ? `rm -r '${dirname(root)}' && ${INSTALL}` : instead(source))

function mountOf(path: string): string {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
    const holding = mounts.filter((mount) => mount === '/' || path === mount || path.startsWith(`${mount}/`))
    return holding.sort((a, b) => b.length - a.length)[0] || '/'
  } catch {
    return '/'
  }
}

/** What the native module says of itself, and of CUDA: `Native.versions()`, `cudaProblem()`. */
export interface Opened {
  cpuCapability: string
  cuda: boolean
  cudaProblem: CudaProblem | null
}

/** What works, but not as well as it could. */
export function whereSlow(libtorch: FoundLibtorch, opened: Opened, env: NodeJS.ProcessEnv = process.env): Trouble[] {
  const troubles: Trouble[] = []
  if (libtorch.cuda && !opened.cuda) troubles.push(whyNoCuda(libtorch, opened.cudaProblem))
  if (process.arch === 'x64' && !opened.cpuCapability.startsWith('AVX')) {
    const message = `LibTorch computes without AVX2 (as ${opened.cpuCapability}), several times slower than it could.`
    const command = env.ATEN_CPU_CAPABILITY
      ? 'unset ATEN_CPU_CAPABILITY'
      : 'grep -m1 -o avx2 /proc/cpuinfo   # a virtual machine needs "-cpu host"'
    troubles.push({ message, command })
  }
  return troubles
}

/** Why a LibTorch with CUDA computes on the CPU. */
function whyNoCuda(libtorch: FoundLibtorch, problem: CudaProblem | null): Trouble {
  const message = (why: string) => `This LibTorch is one with CUDA, but ${why}: it computes on the CPU.`
  if (problem?.part === 'driver')
    return { message: message(`no driver of NVIDIA is loaded (${problem.message})`), command: withoutCuda(libtorch) }
  if (problem) return { message: message(`its part for GPUs could not be opened (${problem.message})`), command: completing(libtorch) }
  return { message: message('no GPU answers'), command: 'nvidia-smi' }
}

/** What brings NVIDIA's libraries that are missing. */
function completing({ source, root, version }: FoundLibtorch): string {
  const [number, build] = (version ?? LIBTORCH_VERSION).split('+')
  return source === 'cache' ? `rm -r '${dirname(root)}' && ${INSTALL} --cuda ${build}` : `python3 -m pip install torch==${number}`
}
