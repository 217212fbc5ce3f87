import { extname } from 'node:path'
import { DataError, OptionError } from '../errors.js'
import { checkOptions, integer, isObject, oneOf, show, text } from '../options/check.js'
import type { Example } from './example.js'
import { parseTemplate, type Template } from './template.js'

/** What a data file holds: JSON Lines, one JSON array, comma- or tab-separated values with a header, or Parquet. */
export type DataFormat = 'jsonl' | 'json' | 'csv' | 'tsv' | 'parquet'

/** Rows whose fields have other names than input and target, or of which texts are to be made. */
export interface MappedSource {
  /** A file; '-' is standard input. Either this or `rows`. */
  path?: string
  /** Rows of any fields. */
  rows?: Iterable<object> | AsyncIterable<object>
  /** What the file holds. @defaultValue what its name ends in; 'jsonl' for standard input */
  format?: DataFormat
  /** The fields that are the input and the target. */
  columns?: {
    /** The field that is the input. @defaultValue 'input' */
    input?: string
    /** The field that is the target. @defaultValue 'target' */
    target?: string
  }
  /** The input as a text with fields in it: 'question: {q} context: {c}'. */
  input?: string
  /** The target likewise. */
  target?: string
  /** Only so many of the rows, drawn evenly from all, the same each time: the source may then be larger than memory. @defaultValue all */
  sample?: number
}

/** A file (.jsonl, .json, .csv, .tsv, .parquet; '-' is standard input), or examples from memory or anywhere, or rows with a mapping. */
export type ExampleSource = string | Iterable<Example> | AsyncIterable<Example> | MappedSource

/** How one of the two is made of a row. */
export type Picker = { column: string } | Template

export interface Mapping {
  input: Picker
  target: Picker
}

export interface Source {
  /** undefined for rows from memory */
  path: string | undefined
  rows: Iterable<unknown> | AsyncIterable<unknown> | undefined
  format: DataFormat
  mapping: Mapping
  /** undefined: all rows */
  sample?: number | undefined
}

const CHECKS = {
  path: text,
  rows: (value: unknown) => value as Iterable<object> | AsyncIterable<object>,
  format: oneOf('jsonl', 'json', 'csv', 'tsv', 'parquet'),
  columns: (value: unknown, name: string) => checkOptions('data', value, { input: text, target: text }, `${name}.`),
  input: text,
  target: text,
  sample: integer(1),
}

const PLAIN: Mapping = { input: { column: 'input' }, target: { column: 'target' } }

/** Standard input, as a path. */
export const STDIN = '-'

/** What a caller gave as a source, checked. Throws OPTION_INVALID, or DATA_FILE_INVALID for a file of no known kind. */
export function resolveSource(given: unknown): Source {
  if (typeof given === 'string') return { path: given, rows: undefined, format: formatOf(given), mapping: PLAIN }
  if (isIterable(given)) return { path: undefined, rows: given, format: 'jsonl', mapping: PLAIN }
  if (!isObject(given) || !('path' in given || 'rows' in given))
    throw new OptionError(
      'OPTION_INVALID',
      `${show(given)} is no source of examples. Give a path, an array of { input, target }, an iterable of them, or { path, input, target } with templates.`,
    )
  const { path, rows, format, columns, input, target, sample } = checkOptions('data', given, CHECKS)
  if ((path === undefined) === (rows === undefined)) throw new OptionError('OPTION_INVALID', "A data set has either 'path' or 'rows'.")
  if (rows !== undefined && !isIterable(rows))
    throw new OptionError('OPTION_INVALID', `Option 'rows' is ${show(rows)}, but must be an array or an (async) iterable of rows.`)
  const mapping = { input: picker('input', input, columns?.input), target: picker('target', target, columns?.target) }
  return { path, rows, format: format ?? (path === undefined ? 'jsonl' : formatOf(path)), mapping, sample }
}

export function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
}

function picker(name: 'input' | 'target', template: string | undefined, column: string | undefined): Picker {
  if (template !== undefined && column !== undefined)
    throw new OptionError('OPTION_INVALID', `Options '${name}' and 'columns.${name}' were both given. Give the template or the column.`)
  return template === undefined ? { column: column ?? name } : parseTemplate(template, name)
}

/** The fields that a mapping needs. */
export function fieldsOf({ input, target }: Mapping): string[] {
  return [...new Set([input, target].flatMap((picker) => ('column' in picker ? [picker.column] : picker.fields)))]
}

function formatOf(path: string): DataFormat {
  if (path === STDIN) return 'jsonl'
  const ending = extname(path).slice(1).toLowerCase()
  if (['jsonl', 'json', 'csv', 'tsv', 'parquet'].includes(ending)) return ending as DataFormat
  const endings = '.jsonl, .json, .csv, .tsv or .parquet'
  throw new DataError(
    'DATA_FILE_INVALID',
    `${path} is not a kind of data file that can be read: its name must end in ${endings}, or its format must be given.`,
  )
}

export function fileName(path: string): string {
  return path === STDIN ? 'Standard input' : path
}

export function columnError(path: string, name: string, columns: readonly string[], has: string): DataError {
  const found = columns.map((column) => `"${column}"`).join(', ')
  const [only = ''] = columns
  const other = columns.length === 1 ? [';', '\t', '|', ','].find((delimiter) => only.includes(delimiter)) : undefined
  if (other !== undefined)
    return new DataError(
      'DATA_FILE_INVALID',
      `${path} has no column "${name}"; ${has} only ${found}, which looks as if ${show(other)} were its delimiter. A .csv is read by commas and a .tsv by tabs.`,
    )
  const help = 'Rename the columns, or say which are meant (by name, or in templates such as {question}).'
  return new DataError('DATA_FILE_INVALID', `${path} has no column "${name}"; ${has} ${found}. ${help}`)
}
