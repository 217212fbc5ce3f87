import { Readable } from 'node:stream'
import { CsvError, type InfoRecord, parse } from 'csv-parse'
import { DataError } from '../errors.js'
import type { RawRow } from './example.js'
import { readLines } from './lines.js'
import { columnError, fileName } from './source.js'

export interface CsvOptions {
  delimiter: ',' | '\t'
  /** The columns that must be there. */
  fields: readonly string[]
  signal?: AbortSignal | undefined
}

/** Rows under a header line; quoted fields may hold delimiters, quotes (doubled) and line breaks. Blank lines are passed over. */
export async function* readCsv(path: string, { delimiter, fields, signal }: CsvOptions): AsyncGenerator<RawRow> {
  let last = 1
  const parser = parse({
    ...{ delimiter, info: true, skip_empty_lines: true },
    columns: (header: string[]) => checkHeader(path, header, fields),
    on_record: (record, { lines }) => {
      last = lines
      return record
    },
  })
  // The parser hands on what went wrong in the lines, and stops them when it is left.
  const lines = Readable.from(withLineFeeds(path, signal))
  lines.on('error', (error) => parser.destroy(error))
  try {
    for await (const row of lines.pipe(parser)) {
      const { record, info } = row as { record: Record<string, string>; info: InfoRecord }
      yield { value: record, line: info.lines }
    }
  } catch (error) {
    throw error instanceof CsvError ? rowError(path, error, last) : error
  } finally {
    lines.destroy()
  }
}

async function* withLineFeeds(path: string, signal?: AbortSignal): AsyncGenerator<string> {
  for await (const { text } of readLines(path, signal)) yield `${text}\n`
}

function checkHeader(path: string, header: string[], fields: readonly string[]): string[] {
  for (const name of fields) if (!header.includes(name)) throw columnError(fileName(path), name, header, 'its first line names')
  return header
}

/** `last` is the line on which the row before ended. */
function rowError(path: string, error: CsvError, last: number): DataError {
  // Of a quote that is left open, the parser knows only the file's end.
  const open = error.code === 'CSV_QUOTE_NOT_CLOSED'
  const line = open ? last + 1 : error.lines
  const where = typeof line === 'number' ? `${fileName(path)}, line ${line}` : fileName(path)
  const what = open ? 'a quote is opened in the row that begins here and never closed' : error.message
  return new DataError('DATA_ROW_INVALID', `${where}: ${what}. Fields with a delimiter, a quote or a line break must be quoted.`, {
    cause: error,
  })
}
