import { rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type DownloadOptions, download } from '../download.js'
import { LibTorchError } from '../errors.js'
import type { FoundLibtorch } from './find.js'
import { cachedLibtorch, type Marker } from './folder.js'
import { sha256Of } from './hash.js'
import { installOnce, type Report, unpacking, writeMarker } from './install-once.js'
import { pipArguments, pipDownload } from './pip.js'
import { ARCHIVES, type Archive, acceptedHashes, LIBTORCH_VERSION } from './release.js'
import { inspectZip, unpack } from './unpack.js'

export type InstallEvent =
  | { status: 'waiting'; folder: string }
  | { status: 'source'; from: string }
  | { status: 'download' | 'verify' | 'unpack'; loaded: number; total: number | null }
  | { status: 'output'; line: string }
  | { status: 'unavailable'; from: string; reason: string }
  | { status: 'done'; libtorch: FoundLibtorch; fresh: boolean }

export interface InstallOptions {
  onProgress?: (event: InstallEvent) => void
  signal?: AbortSignal
  cacheRoot?: string
  /** The archive to take; null: none, ask pip. */
  archive?: Archive | null
  /** Of the files that may be unpacked. */
  hashes?: readonly string[]
  python?: string
  network?: Pick<DownloadOptions, 'tries' | 'pause' | 'answerWithin' | 'idleFor'>
}

/**
 * Puts LibTorch for the CPU into the user's cache, where `findLibtorch` finds it: the official archive, or, where that cannot be reached, the `+cpu` wheel
 * that the user's pip finds. What is unpacked has one of the known sha256 (or one that the user names in SOFTPROMPT_LIBTORCH_SHA256) and is complete: it is
 * unpacked beside its place and renamed. One process at a time installs, others wait. Does nothing where it is there already.
 *
 * @throws LibTorchError LIBTORCH_DOWNLOAD (neither source serves), LIBTORCH_HASH (a file that is not the known one)
 */
export function installLibtorch(options: InstallOptions = {}): Promise<FoundLibtorch> {
  const place = cachedLibtorch(options.cacheRoot)
  return installOnce(place, place, options, async (beside, report) => {
    const { file, prefix, marker } = await fetchChecked(place, options, report)
    await unpack({ file, to: beside, prefix, signal: options.signal, onProgress: unpacking(report) })
    await writeMarker(beside, marker)
    return file
  })
}

interface CheckedFile {
  file: string
  prefix: string
  marker: Marker
}

/** The archive, else the wheel; checked. */
async function fetchChecked(place: string, options: InstallOptions, report: Report): Promise<CheckedFile> {
  const { python = 'python3', signal } = options
  const archive = archiveFor(options)
  const reasons: string[] = []
  const sources: { from: string; get: () => Promise<string> }[] = []
  if (archive) sources.push({ from: archive.url, get: () => getArchive(archive, place, options, report) })
  const command = [python, ...pipArguments(LIBTORCH_VERSION)].join(' ')
  sources.push({ from: command, get: () => getWheel(python, place, options, report) })
  for (const { from, get } of sources) {
    report({ status: 'source', from })
    try {
      return await checked(await get(), options, report)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof LibTorchError && error.code === 'LIBTORCH_HASH') throw error
      const reason = (error as Error).message
      reasons.push(`  ${from}\n    ${reason}`)
      report({ status: 'unavailable', from, reason })
    }
  }
  throw nothingServes(reasons, archive)
}

const archiveFor = ({ archive }: InstallOptions) =>
  archive === undefined ? (ARCHIVES[`${process.platform}-${process.arch}`] ?? null) : archive

async function getArchive(archive: Archive, place: string, options: InstallOptions, report: Report): Promise<string> {
  const to = join(dirname(place), decodeURIComponent(basename(new URL(archive.url).pathname)))
  if (await stat(to).catch(() => null)) return to // an earlier run got it, but did not get to unpack it
  await download({
    ...options.network,
    url: archive.url,
    to,
    bytes: archive.bytes,
    signal: options.signal,
    onProgress: (loaded, total) => report({ status: 'download', loaded, total }),
  })
  return to
}

function getWheel(python: string, place: string, options: InstallOptions, report: Report): Promise<string> {
  return pipDownload({
    python,
    version: LIBTORCH_VERSION,
    folder: join(dirname(place), 'wheels'),
    signal: options.signal,
    onLine: (line) => report({ status: 'output', line }),
  })
}

/** Refuses, and removes, a file that is not one of the known ones. A CUDA wheel gets its own words: it is what the public index gives by default. */
async function checked(file: string, options: InstallOptions, report: Report): Promise<CheckedFile> {
  const contents = await inspectZip(file).catch(() => null)
  if (contents?.cuda || (contents?.wheelVersion && isForeignBuild(contents.wheelVersion))) {
    await rm(file, { force: true })
    const found = contents.wheelVersion ?? 'an archive with CUDA'
    throw new Error(
      `what was found is not the CPU build but ${found}; let pip look in the index of CPU wheels (PIP_INDEX_URL, PIP_FIND_LINKS)`,
    )
  }
  const sha256 = await sha256Of(file, (loaded, total) => report({ status: 'verify', loaded, total }), options.signal)
  if (!contents || !(options.hashes ?? acceptedHashes()).includes(sha256))
    throw await unknownFile(file, sha256, contents?.wheelVersion ? null : archiveFor(options))
  const version = contents.wheelVersion ?? `${LIBTORCH_VERSION}+cpu`
  return { file, prefix: contents.prefix, marker: { version, sha256, file: basename(file) } }
}

/** Removes it. */
export async function unknownFile(file: string, sha256: string, archive: Archive | null): Promise<LibTorchError> {
  await rm(file, { force: true })
  const found = `${basename(file)} has the sha256 ${sha256}`
  const message = archive
    ? `${found} where ${archive.sha256} was expected, so it was removed. Try again; if it comes out the same, something on the way changes it.`
    : `${found}, which this version does not know, so it was removed. If you trust where it came from, set SOFTPROMPT_LIBTORCH_SHA256 to that and try again.`
  return new LibTorchError('LIBTORCH_HASH', message)
}

// Only macOS has no local version tag: all of its builds are for the CPU.
const isForeignBuild = (version: string) =>
  version !== `${LIBTORCH_VERSION}+cpu` && !(process.platform === 'darwin' && version === LIBTORCH_VERSION)

function nothingServes(reasons: string[], archive: Archive | null): LibTorchError {
  const byHand = archive ? `download ${archive.url} on another machine, unpack it, and ` : 'unpack a LibTorch and '
  const advice = [
    'Do one of these:',
    '  - behind a proxy, set HTTPS_PROXY (pip uses it) and try again: what has arrived is kept;',
    `  - ${byHand}set SOFTPROMPT_LIBTORCH to its folder, the one with lib/ and include/;`,
    '  - let pip find the CPU wheel (PIP_INDEX_URL or PIP_FIND_LINKS) and try again.',
  ]
  return new LibTorchError(
    'LIBTORCH_DOWNLOAD',
    [`LibTorch ${LIBTORCH_VERSION} for the CPU could not be had:`, ...reasons, ...advice].join('\n'),
  )
}
