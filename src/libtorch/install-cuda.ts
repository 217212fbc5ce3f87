import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LibTorchError } from '../errors.js'
import type { FoundLibtorch } from './find.js'
import { cachedCuda } from './folder.js'
import { sha256Of } from './hash.js'
import { type InstallOptions, unknownFile } from './install.js'
import { installOnce, type Report, unpacking, writeMarker } from './install-once.js'
import { pipDownload, pipInstall } from './pip.js'
import { CUDA_BUILDS, LIBTORCH_VERSION, namedHashes } from './release.js'
import { inspectZip, unpack } from './unpack.js'

/** NVIDIA's libraries, which a wheel with CUDA names as it names Python's packages; the latter are of no use here. */
const WANTED = /^(nvidia-|cuda-toolkit\b)/

/**
 * Puts a LibTorch with CUDA, such as 'cu130', into the user's cache, where `findLibtorch` prefers it to those for the CPU: the wheel that the user's pip finds
 * (its sha256 must be a known one), and beside it NVIDIA's libraries in the versions that the wheel names (pip checks them against its index). Linux on x64.
 *
 * @throws LibTorchError LIBTORCH_DOWNLOAD or LIBTORCH_HASH, as `installLibtorch`
 */
export async function installCuda(build: string, options: InstallOptions = {}): Promise<FoundLibtorch> {
  const known = `${process.platform}-${process.arch}` === 'linux-x64' ? CUDA_BUILDS[build] : undefined
  if (!known) throw noSuchBuild(build)
  const { python = 'python3', signal } = options
  const place = cachedCuda(build, options.cacheRoot)
  return installOnce(place, join(place, 'torch'), options, async (beside, report) => {
    const common = { python, index: known.index, onLine: (line: string) => report({ status: 'output', line }), signal }
    const version = `${LIBTORCH_VERSION}+${build}`
    report({ status: 'source', from: `pip: torch==${version}` })
    const folder = join(dirname(place), `wheels-${build}`)
    const file = await pipDownload({ ...common, version, folder }).catch((error) => notHad(build, error, signal))
    const sha256 = await checked(file, options.hashes ?? [...Object.values(known.wheels), ...namedHashes()], report, signal)
    const { requirements } = await inspectZip(file)
    await mkdir(beside, { recursive: true })
    await pipInstall({ ...common, folder: beside, requirements: requirements.filter((name) => WANTED.test(name)) }).catch((error) =>
      notHad(build, error, signal),
    )
    await unpack({ file, to: join(beside, 'torch'), prefix: 'torch/', signal, onProgress: unpacking(report) })
    await writeMarker(join(beside, 'torch'), { version, sha256, file: basename(file) })
    return file
  })
}

async function checked(file: string, hashes: readonly string[], report: Report, signal?: AbortSignal): Promise<string> {
  const sha256 = await sha256Of(file, (loaded, total) => report({ status: 'verify', loaded, total }), signal)
  if (!hashes.includes(sha256)) throw await unknownFile(file, sha256, null)
  return sha256
}

function notHad(build: string, error: Error, signal?: AbortSignal): never {
  signal?.throwIfAborted()
  const advice = 'Let pip find its wheels (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, HTTPS_PROXY) and try again: what has arrived is kept.'
  throw new LibTorchError(
    'LIBTORCH_DOWNLOAD',
    `LibTorch ${LIBTORCH_VERSION} with CUDA (${build}) could not be had: ${error.message}\n${advice}`,
    {
      cause: error,
    },
  )
}

function noSuchBuild(build: string): LibTorchError {
  const names = Object.keys(CUDA_BUILDS).join(', ')
  return new LibTorchError(
    'LIBTORCH_DOWNLOAD',
    `There is no LibTorch '${build}' to install on ${process.platform}-${process.arch}: with CUDA there is ${names} on linux-x64. Another one can be used by setting SOFTPROMPT_LIBTORCH to its folder.`,
  )
}
