import { extname } from 'node:path'
import { DataError, OptionError } from '../errors.js'
import { show } from '../options/check.js'
import { TimeSlice } from '../time-slice.js'
import { readCsv } from './csv.js'
import { type Columns, type Example, type ExampleSource, type RawRow, toExample } from './example.js'
import { readJsonArray, readJsonLines } from './json.js'

export interface ReadOptions {
  columns?: Columns | undefined
  signal?: AbortSignal | undefined
}

/** Examples in the order of their source. */
export interface ExampleSet {
  examples: Example[]
  /** All fields of the row that an example was made from. */
  fields(row: number): Readonly<Record<string, unknown>>
  /** Names a row in a message: "reviews.jsonl, line 3", or "Row 2" (counted from 0) of what came from memory. */
  describe(row: number): string
}

/**
 * Reads all examples of a source, checking each; other columns are left alone. Files: `.jsonl` (a row a line), `.json` (an array), `.csv` and `.tsv` (with a
 * header line), all UTF-8.
 *
 * @throws DataError `DATA_FILE_NOT_FOUND`, `DATA_FILE_INVALID`, `DATA_EMPTY`, `DATA_ROW_INVALID`, `DATA_TARGET_EMPTY`, which name the file and line
 * @throws OptionError `OPTION_INVALID` for a source that is none
 */
export async function readExamples(source: ExampleSource, options: ReadOptions = {}): Promise<ExampleSet> {
  const columns = { input: options.columns?.input ?? 'input', target: options.columns?.target ?? 'target' }
  const examples: Example[] = []
  const lines: (number | undefined)[] = []
  const values: Record<string, unknown>[] = []
  const slice = new TimeSlice()
  const name = (row: number) => nameOf(source, row, lines[row])
  for await (const { value, line } of rowsOf(source, columns, options.signal)) {
    if (slice.spent) await slice.pause()
    options.signal?.throwIfAborted()
    lines.push(line)
    examples.push(toExample(value, { where: name(examples.length), columns }))
    values.push(value as Record<string, unknown>)
  }
  if (examples.length === 0) throw emptyError(source)
  return { examples, fields: (row) => values[row]!, describe: name }
}

function rowsOf(source: ExampleSource, columns: Required<Columns>, signal: AbortSignal | undefined): AsyncIterable<RawRow> {
  if (typeof source === 'string') return rowsOfFile(source, columns, signal)
  if (typeof source === 'object' && source !== null && (Symbol.iterator in source || Symbol.asyncIterator in source))
    return rowsOfMemory(source)
  throw new OptionError(
    'OPTION_INVALID',
    `${show(source)} is no source of examples. Give a path, an array of { input, target }, or an iterable of them.`,
  )
}

function rowsOfFile(path: string, columns: Required<Columns>, signal: AbortSignal | undefined): AsyncIterable<RawRow> {
  switch (extname(path).toLowerCase()) {
    case '.jsonl':
      return readJsonLines(path, signal)
    case '.json':
      return readJsonArray(path, signal)
    case '.csv':
      return readCsv(path, { delimiter: ',', columns, signal })
    case '.tsv':
      return readCsv(path, { delimiter: '\t', columns, signal })
    default:
      throw new DataError(
        'DATA_FILE_INVALID',
        `${path} is not a kind of data file that can be read: its name must end in .jsonl, .json, .csv or .tsv.`,
      )
  }
}

async function* rowsOfMemory(source: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<RawRow> {
  for await (const value of source) yield { value }
}

function nameOf(source: ExampleSource, row: number, line: number | undefined): string {
  if (typeof source !== 'string') return `Row ${row}`
  return line === undefined ? `${source}, row ${row}` : `${source}, line ${line}`
}

function emptyError(source: ExampleSource): DataError {
  const what = typeof source === 'string' ? `The data file ${source} has no rows` : 'The data set has no rows'
  return new DataError('DATA_EMPTY', `${what}. Give at least one { "input": ..., "target": ... }.`)
}
