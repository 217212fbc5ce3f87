import { fsync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Writes a whole file, through to the disk. */
export function writeSynced(path: string, content: string, flag: 'w' | 'wx'): Promise<void> {
  return writeFile(path, content, { flag, flush: true })
}

/** Waits until what was written to a file (opened as 'r+', which Windows asks for), or into a folder, is on the disk. */
export async function sync(path: string, flags: 'r' | 'r+'): Promise<void> {
  const file = await open(path, flags)
  try {
    await promisify(fsync)(file.fd) // under Yarn's Plug'n'Play a FileHandle has no sync()
  } finally {
    await file.close()
  }
}
