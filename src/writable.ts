import { randomBytes } from 'node:crypto'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { FileError } from './errors.js'
import { writeSynced } from './synced.js'

/** Makes sure that a file can be written at `path`, before work starts whose result belongs there. Rejects with FILE_NOT_WRITABLE. */
export async function checkWritable(path: string, what: string): Promise<void> {
  const full = resolve(path)
  const found = await stat(full).catch(() => undefined)
  if (found?.isDirectory()) throw notWritable(path, what, 'it is a folder. Give the path of a file')
  // What is written beside and renamed would put a plain file in the place of a device or a pipe.
  if (found && !found.isFile()) throw notWritable(path, what, 'it is no regular file. Name another file')
  const folder = dirname(full)
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw notWritable(path, what, `${folder} is not a folder. Make it first, or choose another path`)
  // Asking for permissions says little (read-only file systems, full disks, root): a file beside it tells.
  const probe = besideOf(full)
  try {
    const file = await open(probe, 'wx')
    await file.close()
    await unlink(probe)
  } catch (cause) {
    throw notWritable(path, what, `${(cause as Error).message}. Choose a folder that you may write to`, cause)
  }
}

/** Writes a text file beside `path` and renames it, so that there is either the whole of it or what was there before. Rejects with FILE_NOT_WRITABLE or FILE_WRITE. */
export async function writeWhole(path: string, content: string, what: string): Promise<void> {
  await checkWritable(path, what)
  const beside = besideOf(resolve(path))
  try {
    await writeSynced(beside, content, 'wx')
    await rename(beside, path)
  } catch (cause) {
    await unlink(beside).catch(() => {})
    throw new FileError('FILE_WRITE', `${what} could not be written to ${path}: ${(cause as Error).message}.`, { cause })
  }
}

function besideOf(full: string): string {
  return join(dirname(full), `.${basename(full)}.${randomBytes(4).toString('hex')}.tmp`)
}

function notWritable(path: string, what: string, why: string, cause?: unknown): FileError {
  return new FileError('FILE_NOT_WRITABLE', `${what} cannot be written to ${path}: ${why}.`, { cause })
}
