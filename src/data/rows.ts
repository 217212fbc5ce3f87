import { readCsv } from './csv.js'
import type { RawRow } from './example.js'
import { readJsonArray, readJsonLines } from './json.js'
import { readParquet } from './parquet.js'
import type { DataFormat } from './source.js'

export interface RowOptions {
  /** The columns that are needed. */
  fields: readonly string[]
  /** What a line of JSON should look like, for messages. */
  example?: string | undefined
  signal?: AbortSignal | undefined
}

/** The rows of a file as it holds them. */
export function rowsOfFile(path: string, format: DataFormat, { fields, example, signal }: RowOptions): AsyncIterable<RawRow> {
  switch (format) {
    case 'jsonl':
      return readJsonLines(path, signal, example)
    case 'json':
      return readJsonArray(path, signal)
    case 'csv':
      return readCsv(path, { delimiter: ',', fields, signal })
    case 'tsv':
      return readCsv(path, { delimiter: '\t', fields, signal })
    case 'parquet':
      return readParquet(path, { fields, signal })
  }
}

export async function* rowsOfMemory(source: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<RawRow> {
  for await (const value of source) yield { value }
}
