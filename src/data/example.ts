import { DataError } from '../errors.js'
import { show } from '../options/check.js'
import type { Ids } from '../tokenizer/index.js'

/** One row to learn from or to compare with. Text gets a `</s>`; token ids are taken as they are. */
export interface Example {
  input: string | Ids
  target: string | Ids
}

/** A file (.jsonl, .json, .csv, .tsv), or examples from memory or from anywhere, all at once or one by one. */
export type ExampleSource = string | Iterable<Example> | AsyncIterable<Example>

/** Under which names a row holds the two; by default their own. */
export interface Columns {
  input?: string
  target?: string
}

/** Something that may be an example, and where it stands, for messages. */
export interface RawRow {
  value: unknown
  /** Line of the file, counted from 1. */
  line?: number
}

export interface RowNames {
  /** Names the row: "reviews.jsonl, line 3". */
  where: string
  columns: Required<Columns>
}

/**
 * The example that a row holds.
 *
 * @throws DataError `DATA_ROW_INVALID`, `DATA_TARGET_EMPTY`
 */
export function toExample(value: unknown, { where, columns }: RowNames): Example {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(where, `${show(value)} is not a row`, columns)
  }
  const row = value as Record<string, unknown>
  const input = row[columns.input]
  const target = row[columns.target]
  if (input === undefined || input === null) throw invalid(where, `the row has no "${columns.input}"${fieldsOf(row)}`, columns)
  if (!isTextOrIds(input)) throw invalid(where, `"${columns.input}" is ${show(input)}, neither text nor a list of token ids`, columns)
  if (target === undefined || target === null || target === '' || (isTextOrIds(target) && target.length === 0)) {
    const what = target === undefined || target === null ? `has no "${columns.target}"${fieldsOf(row)}` : `has an empty "${columns.target}"`
    throw new DataError('DATA_TARGET_EMPTY', `${where}: the row ${what}. Every row needs a target; complete the row or take it out.`)
  }
  if (!isTextOrIds(target)) throw invalid(where, `"${columns.target}" is ${show(target)}, neither text nor a list of token ids`, columns)
  if (input.length === 0 && typeof input !== 'string') throw invalid(where, `"${columns.input}" is an empty list of token ids`, columns)
  return { input, target }
}

function isTextOrIds(value: unknown): value is string | Ids {
  return typeof value === 'string' || value instanceof Int32Array || (Array.isArray(value) && value.every((id) => typeof id === 'number'))
}

function invalid(where: string, what: string, { input, target }: Required<Columns>): DataError {
  return new DataError('DATA_ROW_INVALID', `${where}: ${what}. Expected { "${input}": "some text", "${target}": "its answer" }.`)
}

function fieldsOf(row: object): string {
  const names = Object.keys(row)
  return names.length > 0 ? ` (it has ${names.slice(0, 8).map(show).join(', ')})` : ''
}
