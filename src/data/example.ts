import { DataError } from '../errors.js'
import { show } from '../options/check.js'
import type { Ids } from '../tokenizer/index.js'
import type { Mapping, Picker } from './source.js'

/** One row to learn from or to compare with. Text gets a `</s>`; token ids are taken as they are. */
export interface Example {
  /** What the model reads: X. */
  input: string | Ids
  /** What it is to answer: Y. */
  target: string | Ids
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
  mapping: Mapping
}

type Row = Record<string, unknown>

/**
 * The example that a row holds.
 *
 * @throws DataError `DATA_ROW_INVALID`, `DATA_TARGET_EMPTY`
 */
export function toExample(value: unknown, { where, mapping }: RowNames): Example {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(where, `${show(value)} is not a row`, mapping)
  const row = value as Row
  const input =
    'column' in mapping.input ? inputColumn(row, where, mapping, mapping.input.column) : filled(row, where, mapping, mapping.input)
  const target =
    'column' in mapping.target ? targetColumn(row, where, mapping, mapping.target.column) : filled(row, where, mapping, mapping.target)
  if (target === '') throw noTarget(where, 'makes an empty target')
  return { input, target }
}

function inputColumn(row: Row, where: string, mapping: Mapping, name: string): string | Ids {
  const input = row[name]
  if (isMissing(input)) throw invalid(where, `the row has no "${name}"${namesOf(row)}`, mapping)
  if (!isTextOrIds(input)) throw invalid(where, `"${name}" is ${show(input)}, neither text nor a list of token ids`, mapping)
  if (input.length === 0 && typeof input !== 'string') throw invalid(where, `"${name}" is an empty list of token ids`, mapping)
  return input
}

function targetColumn(row: Row, where: string, mapping: Mapping, name: string): string | Ids {
  const target = row[name]
  if (isMissing(target)) throw noTarget(where, `has no "${name}"${namesOf(row)}`)
  if (target === '' || (isTextOrIds(target) && target.length === 0)) throw noTarget(where, `has an empty "${name}"`)
  if (!isTextOrIds(target)) throw invalid(where, `"${name}" is ${show(target)}, neither text nor a list of token ids`, mapping)
  return target
}

function filled(row: Row, where: string, mapping: Mapping, template: Exclude<Picker, { column: string }>): string {
  return template.fill((name) => {
    const value = at(row, name)
    if (isMissing(value)) throw invalid(where, `the row has no "${name}"${namesOf(row)}`, mapping)
    if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value))
      throw invalid(where, `"${name}" is ${show(value)}, which is no text to put into a template`, mapping)
    return String(value)
  })
}

/** A field, or what a path leads to: 'answers.text.0'. */
function at(row: Row, name: string): unknown {
  if (Object.hasOwn(row, name)) return row[name]
  let value: unknown = row
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Row)[part]
  }
  return value
}

function isMissing(value: unknown): value is undefined | null {
  return value === undefined || value === null
}

function isTextOrIds(value: unknown): value is string | Ids {
  return typeof value === 'string' || value instanceof Int32Array || (Array.isArray(value) && value.every((id) => typeof id === 'number'))
}

function noTarget(where: string, what: string): DataError {
  return new DataError('DATA_TARGET_EMPTY', `${where}: the row ${what}. Every row needs a target; complete the row or take it out.`)
}

function invalid(where: string, what: string, { input, target }: Mapping): DataError {
  const fields = (picker: Picker, example: string) =>
    ('column' in picker ? [picker.column] : picker.fields).map((name) => `"${name}": "${example}"`).join(', ')
  return new DataError(
    'DATA_ROW_INVALID',
    `${where}: ${what}. Expected { ${fields(input, 'some text')}, ${fields(target, 'its answer')} }.`,
  )
}

function namesOf(row: object): string {
  const names = Object.keys(row)
  return names.length > 0 ? ` (it has ${names.slice(0, 8).map(show).join(', ')})` : ''
}
