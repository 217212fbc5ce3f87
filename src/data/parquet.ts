import { stat } from 'node:fs/promises'
import { DataError } from '../errors.js'
import type { RawRow } from './example.js'
import { fileError } from './lines.js'
import { columnError, STDIN } from './source.js'

export interface ParquetOptions {
  fields: readonly string[]
  signal?: AbortSignal | undefined
}

/** The rows of a Parquet file, a group of rows at a time. Its libraries are loaded only here: few runs need them. */
export async function* readParquet(path: string, { fields, signal }: ParquetOptions): AsyncGenerator<RawRow> {
  if (path === STDIN)
    throw new DataError('DATA_FILE_INVALID', 'Parquet is read from its end, which standard input has not. Give the file by its path.')
  try {
    const file = await stat(path)
    if (file.isDirectory()) throw new DataError('DATA_FILE_INVALID', `${path} is a folder, not a data file. Name a file in it.`)
  } catch (error) {
    throw fileError(path, error)
  }
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet')
  const { compressors } = await import('hyparquet-compressors')
  try {
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file)
    checkColumns(
      path,
      parquetSchema(metadata).children.map(({ element }) => element.name),
      fields,
    )
    let rowStart = 0
    for (const group of metadata.row_groups) {
      signal?.throwIfAborted()
      const rowEnd = rowStart + Number(group.num_rows)
      for (const row of await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd })) yield { value: plain(row) }
      rowStart = rowEnd
    }
  } catch (error) {
    if (error instanceof DataError || signal?.aborted) throw error
    const message = `${path} cannot be read as Parquet (${(error as Error).message}). Write it anew, or as .jsonl.`
    throw new DataError('DATA_FILE_INVALID', message, { cause: error })
  }
}

function checkColumns(path: string, columns: readonly string[], fields: readonly string[]): void {
  for (const name of fields) {
    if (columns.includes(name) || columns.includes(name.split('.')[0]!)) continue
    throw columnError(path, name, columns, 'it has')
  }
}

/** 64-bit integers as numbers where those hold them exactly: token ids and labels are often written so. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]))
  return value
}
