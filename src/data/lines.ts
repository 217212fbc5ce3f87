import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { DataError } from '../errors.js'
import { decodeUtf8 } from '../utf8.js'
import { fileName, STDIN } from './source.js'

export interface Line {
  text: string
  /** Counted from 1. */
  number: number
}

const NEWLINE = 0x0a

/** The lines of a UTF-8 file without their line feeds, as they are read; a byte order mark at its start is dropped. */
export async function* readLines(path: string, signal?: AbortSignal): AsyncGenerator<Line> {
  let number = 0
  let rest: Buffer[] = []
  const decode = (parts: Buffer[]): Line => {
    number += 1
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    return { text: decodeLine(bytes, path, number), number }
  }
  for await (const chunk of readChunks(path, signal)) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield decode([...rest, chunk.subarray(start, end)])
      rest = []
      start = end + 1
    }
    if (start < chunk.length) rest.push(chunk.subarray(start))
  }
  if (rest.length > 0) yield decode(rest)
}

function decodeLine(bytes: Buffer, path: string, number: number): string {
  try {
    const text = decodeUtf8(bytes)
    return number === 1 && text.startsWith('\ufeff') ? text.slice(1) : text
  } catch (error) {
    const bad = firstBadByte(bytes)
    const what = `the line is not UTF-8 (byte ${bad + 1} of it is 0x${bytes[bad]!.toString(16)})`
    throw new DataError('DATA_ROW_INVALID', `${fileName(path)}, line ${number}: ${what}. Save the file as UTF-8.`, { cause: error })
  }
}

/** Where UTF-8 ends in bytes that are not all UTF-8. */
function firstBadByte(bytes: Buffer): number {
  const text = bytes.toString('utf8')
  let offset = 0
  let from = 0
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', from)) {
    offset += Buffer.byteLength(text.slice(from, at))
    if (bytes.subarray(offset, offset + 3).toString('hex') !== 'efbfbd') return offset
    offset += 3
    from = at + 1
  }
  return 0
}

async function* readChunks(path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of path === STDIN ? process.stdin : createReadStream(path)) {
      signal?.throwIfAborted()
      yield chunk as Buffer
    }
  } catch (error) {
    throw fileError(path, error)
  }
}

/** Throws what reading the file would throw first, where it cannot be opened: for callers with long work before the reading. */
export async function checkReadable(path: string): Promise<void> {
  if (path === STDIN) return
  try {
    const file = await open(path)
    await file.close()
  } catch (error) {
    throw fileError(path, error)
  }
}

/** What the file system said, as an error of the package; anything else is given back as it is. */
export function fileError(path: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (syscall === undefined) return error
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new DataError('DATA_FILE_NOT_FOUND', `There is no data file ${path}. Check the path; it is taken from ${process.cwd()}.`, {
      cause: error,
    })
  }
  if (code === 'EISDIR')
    return new DataError('DATA_FILE_INVALID', `${path} is a folder, not a data file. Name a file in it.`, { cause: error })
  return new DataError('DATA_FILE_NOT_FOUND', `The data file ${path} could not be read: ${message}.`, { cause: error })
}
