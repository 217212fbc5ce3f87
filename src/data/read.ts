import { DataError } from '../errors.js'
import { TimeSlice } from '../time-slice.js'
import { type Example, type RawRow, toExample } from './example.js'
import { rowsOfFile, rowsOfMemory } from './rows.js'
import { Sample } from './sample.js'
import { type ExampleSource, fieldsOf, fileName, resolveSource, type Source, STDIN } from './source.js'

export interface ReadOptions {
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
 * Reads all examples of a source (or a sample of them, where it says so), checking each; other columns are left alone. Files: `.jsonl` (a row a line), `.json` (an array), `.csv` and `.tsv` (with a
 * header line), all UTF-8, and `.parquet`.
 *
 * @throws DataError `DATA_FILE_NOT_FOUND`, `DATA_FILE_INVALID`, `DATA_EMPTY`, `DATA_ROW_INVALID`, `DATA_TARGET_EMPTY`, which name the file and line
 * @throws OptionError `OPTION_INVALID` for a source that is none
 */
export async function readExamples(given: ExampleSource, options: ReadOptions = {}): Promise<ExampleSet> {
  const source = resolveSource(given)
  const sample = new Sample<Read>(source.sample)
  const slice = new TimeSlice()
  for await (const { value, line } of rowsOf(source, options.signal)) {
    if (slice.spent) await slice.pause()
    options.signal?.throwIfAborted()
    const row = sample.seen
    const example = toExample(value, { where: nameOf(source, row, line), mapping: source.mapping })
    sample.add({ example, value: value as Record<string, unknown>, row, line })
  }
  const read = sample.entries()
  if (read.length === 0) throw emptyError(source)
  const describe = (i: number) => nameOf(source, read[i]!.row, read[i]!.line)
  return { examples: read.map(({ example }) => example), fields: (i) => read[i]!.value, describe }
}

/** An example, all fields of its row, and where that stands in the source. */
interface Read {
  example: Example
  value: Record<string, unknown>
  row: number
  line: number | undefined
}

function rowsOf({ path, rows, format, mapping }: Source, signal: AbortSignal | undefined): AsyncIterable<RawRow> {
  return path === undefined ? rowsOfMemory(rows ?? []) : rowsOfFile(path, format, { fields: fieldsOf(mapping), signal })
}

function nameOf({ path }: Source, row: number, line: number | undefined): string {
  if (path === undefined) return `Row ${row}`
  return line === undefined ? `${fileName(path)}, row ${row}` : `${fileName(path)}, line ${line}`
}

function emptyError({ path }: Source): DataError {
  const what =
    path === undefined ? 'The data set has no rows' : path === STDIN ? 'Standard input has no rows' : `The data file ${path} has no rows`
  return new DataError('DATA_EMPTY', `${what}. Give at least one { "input": ..., "target": ... }.`)
}
