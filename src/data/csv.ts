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
  const place = new RowPlace()
  const parser = parse({
    ...{ delimiter, info: true, skip_empty_lines: true },
    columns: (header: string[]) => {
      place.headerEnded()
      return checkHeader(path, header, fields)
    },
    on_record: ({ record, info }: { record: unknown; info: InfoRecord }): RawRow => ({ value: record, line: place.rowEnded(info.bytes) }),
  })
  // The parser hands on what went wrong in the lines, and stops them when it is left.
  const lines = Readable.from(withLineFeeds(path, place, signal))
  lines.on('error', (error) => parser.destroy(error))
  try {
    yield* lines.pipe(parser) as AsyncIterable<RawRow>
  } catch (error) {
    throw error instanceof CsvError ? rowError(path, error, place.next) : error
  } finally {
    lines.destroy()
  }
}

/** On which line a row begins. The parser counts lines otherwise (CRLF within quotes as two), and of a wrong row it tells where it noticed; its bytes are right. */
class RowPlace {
  /** Lines that the parser was given and has made no rows of, and how many bytes it had been given after each. */
  #ahead: { line: number; end: number; blank: boolean }[] = []
  #given = 0

  given(text: string, line: number): void {
    this.#given += Buffer.byteLength(text)
    this.#ahead.push({ line, end: this.#given, blank: text === '\n' || text === '\r\n' })
  }

  headerEnded(): void {
    this.#passBlank()
    this.#ahead.shift()
  }

  /** The line on which the row began that ended at so many bytes. */
  rowEnded(bytes: number): number {
    const line = this.next
    while (this.#ahead[0] && this.#ahead[0].end <= bytes) this.#ahead.shift()
    return line
  }

  get next(): number {
    this.#passBlank()
    return this.#ahead[0]?.line ?? 1
  }

  #passBlank(): void {
    while (this.#ahead[0]?.blank) this.#ahead.shift()
  }
}

async function* withLineFeeds(path: string, place: RowPlace, signal?: AbortSignal): AsyncGenerator<string> {
  for await (const { text, number } of readLines(path, signal)) {
    place.given(`${text}\n`, number)
    yield `${text}\n`
  }
}

function checkHeader(path: string, header: string[], fields: readonly string[]): string[] {
  for (const name of fields) {
    if (!header.includes(name)) throw columnError(fileName(path), name, header, 'its first line names')
    if (header.indexOf(name) !== header.lastIndexOf(name))
      throw new DataError('DATA_FILE_INVALID', `${fileName(path)} has two columns "${name}" in its first line. Rename one of them.`)
  }
  return header
}

function rowError(path: string, error: CsvError, line: number): DataError {
  // Of a quote that is left open, the parser knows only the file's end; of one that another row's quote closes, that row.
  const what =
    error.code === 'CSV_QUOTE_NOT_CLOSED'
      ? 'a quote is opened in the row that begins here and never closed'
      : `the row that begins here cannot be read (${error.message.replace(/ (at|on) line \d+/, '')})`
  return new DataError(
    'DATA_ROW_INVALID',
    `${fileName(path)}, line ${line}: ${what}. A field with a delimiter, a quote or a line break must stand in quotes, and quotes in it be doubled.`,
    { cause: error },
  )
}
