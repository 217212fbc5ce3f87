import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LibTorchError } from '../errors.js'
import { lock } from '../lock.js'
import { writeSynced } from '../synced.js'
import type { FoundLibtorch } from './find.js'
import { inspectFolder, MARKER, type Marker, readMarker } from './folder.js'
import type { InstallEvent, InstallOptions } from './install.js'

export type Report = (event: InstallEvent) => void

/**
 * Fills `place` by `make`, which fills the folder that it is given and gives the file that it was unpacked from. Either all of it is there in the end or
 * nothing; `root` is where the LibTorch in it is. One process at a time installs, others wait. Does nothing where it is there already.
 */
export async function installOnce(
  place: string,
  root: string,
  { onProgress: report = () => {}, signal }: InstallOptions,
  make: (beside: string, report: Report) => Promise<string>,
): Promise<FoundLibtorch> {
  const finish = (libtorch: FoundLibtorch, fresh: boolean) => {
    report({ status: 'done', libtorch, fresh })
    return libtorch
  }
  const ready = installed(root)
  if (ready) return finish(ready, false)

  await mkdir(dirname(place), { recursive: true })
  const unlock = await lock(place, () => report({ status: 'waiting', folder: place }), signal)
  try {
    const other = installed(root)
    if (other) return finish(other, false)
    await removeLeftovers(place)
    await fill(place, (beside) => make(beside, report))
    const libtorch = installed(root)
    if (!libtorch) throw new LibTorchError('LIBTORCH_DOWNLOAD', `What was unpacked into ${place} is not a LibTorch: ${problemOf(root)}.`)
    return finish(libtorch, true)
  } finally {
    await unlock()
  }
}

export const unpacking = (report: Report) => (loaded: number, total: number | null) => report({ status: 'unpack', loaded, total })

/** Last of all: a folder without it is not finished. */
export function writeMarker(root: string, marker: Marker): Promise<void> {
  return writeSynced(join(root, MARKER), `${JSON.stringify(marker, null, 2)}\n`, 'w')
}

async function fill(place: string, make: (beside: string) => Promise<string>): Promise<void> {
  const beside = `${place}.${process.pid}.tmp`
  let file: string
  try {
    file = await make(beside)
    await rm(place, { recursive: true, force: true }) // without a marker: a folder that somebody damaged
    await rename(beside, place)
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
  await rm(file, { force: true })
  await rmdir(dirname(file)).catch(() => {}) // pip's folder, now empty; the cache's own is not
}

async function removeLeftovers(place: string): Promise<void> {
  const leftovers = (await readdir(dirname(place))).filter((name) => name.startsWith(`${basename(place)}.`) && name.endsWith('.tmp'))
  for (const name of leftovers) await rm(join(dirname(place), name), { recursive: true, force: true })
}

function installed(root: string): FoundLibtorch | null {
  const folder = readMarker(root) ? inspectFolder(root) : null
  return folder && 'lib' in folder ? { ...folder, source: 'cache' } : null
}

function problemOf(root: string): string {
  const folder = inspectFolder(root)
  return 'problem' in folder ? folder.problem : 'it was not finished'
}
