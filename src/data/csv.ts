import { Readable } from 'node:stream'
import { CsvError, type InfoRecord, parse } from 'csv-parse'
import { DataError } from '../errors.js'
import type { Columns, RawRow } from './example.js'
import { readLines } from './lines.js'

export interface CsvOptions {
  delimiter: ',' | '\t'
  columns: Required<Columns>
  signal?: AbortSignal | undefined
}

/** Rows under a header line; quoted fields may hold delimiters, quotes (doubled) and line breaks. Blank lines are passed over. */
export async function* readCsv(path: string, { delimiter, columns, signal }: CsvOptions): AsyncGenerator<RawRow> {
  const parser = parse({ delimiter, info: true, skip_empty_lines: true, columns: (header: string[]) => checkHeader(path, header, columns) })
  // The parser hands on what went wrong in the lines, and stops them when it is left.
  const lines = Readable.from(withLineFeeds(path, signal))
  lines.on('error', (error) => parser.destroy(error))
  try {
    for await (const row of lines.pipe(parser)) {
      const { record, info } = row as { record: Record<string, string>; info: InfoRecord }
      yield { value: record, line: info.lines }
    }
  } catch (error) {
    throw error instanceof CsvError ? rowError(path, error) : error
  } finally {
    lines.destroy()
  }
}

async function* withLineFeeds(path: string, signal?: AbortSignal): AsyncGenerator<string> {
  for await (const { text } of readLines(path, signal)) yield `${text}\n`
}

function checkHeader(path: string, header: string[], columns: Required<Columns>): string[] {
  for (const name of [columns.input, columns.target]) {
    if (header.includes(name)) continue
    const found = header.map((column) => `"${column}"`).join(', ')
    throw new DataError(
      'DATA_FILE_INVALID',
      `${path} has no column "${name}"; its first line names ${found}. Rename the columns to input and target.`,
    )
  }
  return header
}

function rowError(path: string, error: CsvError): DataError {
  const line = typeof error.lines === 'number' ? `, line ${error.lines}` : ''
  return new DataError(
    'DATA_ROW_INVALID',
    `${path}${line}: ${error.message}. Fields with a delimiter, a quote or a line break must be quoted.`,
    { cause: error },
  )
}
