import type { RawRow } from '../data/example.js'
import { readLines } from '../data/lines.js'
import { rowsOfFile, rowsOfMemory } from '../data/rows.js'
import { fileName } from '../data/source.js'
import { DataError } from '../errors.js'
import { isObject, show } from '../options/check.js'
import { isIds } from '../rows.js'
import type { Ids } from '../tokenizer/index.js'
import type { DocumentUnit, ResolvedText } from './source.js'

/** A part of a document, or its end. Documents may be larger than memory; their parts are lines or rows. */
export type Part = { content: string | Ids; where: string } | 'end'

/**
 * The documents of a source, part by part, each followed by 'end'. A line that does not begin its document has its line feed in front.
 *
 * @throws DataError `DATA_FILE_NOT_FOUND`, `DATA_FILE_INVALID`, `DATA_ROW_INVALID`, which name the file and line
 */
export async function* readText(source: ResolvedText, signal?: AbortSignal): AsyncGenerator<Part> {
  if (source.rows) yield* rowParts(rowsOfMemory(source.rows), source.column, undefined)
  for (const { path, format } of source.files ?? []) {
    if (format === 'txt') yield* lineParts(path, source.documents, signal)
    else yield* rowParts(rowsOfFile(path, format, rowOptions(source.column, signal)), source.column, fileName(path))
  }
}

const rowOptions = (column: string, signal?: AbortSignal) => ({ fields: [column], example: `{ "${column}": "some text" }`, signal })

async function* lineParts(path: string, unit: DocumentUnit, signal?: AbortSignal): AsyncGenerator<Part> {
  let open = false
  for await (const { text, number } of readLines(path, signal)) {
    const blank = text.trim() === ''
    if (open && (unit === 'line' || (unit === 'paragraph' && blank))) {
      yield 'end'
      open = false
    }
    if (blank && (unit !== 'file' || !open)) continue
    yield { content: open ? `\n${text}` : text, where: `${fileName(path)}, line ${number}` }
    open = true
  }
  if (open) yield 'end'
}

async function* rowParts(rows: AsyncIterable<RawRow>, column: string, file: string | undefined): AsyncGenerator<Part> {
  let row = 0
  for await (const { value, line } of rows) {
    const where = file === undefined ? `Document ${row}` : line === undefined ? `${file}, row ${row}` : `${file}, line ${line}`
    row += 1
    const content = typeof value === 'string' || isIds(value) ? value : field(value, column, where)
    if (content.length === 0) continue
    yield { content, where }
    yield 'end'
  }
}

function field(value: unknown, column: string, where: string): string | Ids {
  const content = isObject(value) ? value[column] : undefined
  if (typeof content === 'string' || isIds(content)) return content
  const names = isObject(value) ? Object.keys(value).slice(0, 8).map(show).join(', ') : ''
  const what = isObject(value)
    ? `the row's "${column}" is ${show(content)}${names && ` (it has ${names})`}`
    : `${show(value)} is no document`
  throw new DataError(
    'DATA_ROW_INVALID',
    `${where}: ${what}. Expected text, or { "${column}": "some text" }; name another field as 'column'.`,
  )
}
