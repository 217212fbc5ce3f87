import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileError } from '../data/lines.js'
import { isIterable, STDIN } from '../data/source.js'
import { DataError, OptionError } from '../errors.js'
import { checkOptions, isObject, oneOf, show, strings, text } from '../options/check.js'
import type { Ids } from '../tokenizer/index.js'

/** What a file of text holds: plain text, or rows with the text in a field. */
export type TextFormat = 'txt' | 'jsonl' | 'json' | 'csv' | 'tsv' | 'parquet'

/** What a document of a .txt file is: each line, what stands between blank lines, or the whole file. */
export type DocumentUnit = 'line' | 'paragraph' | 'file'

/** Text with a word on how to read it. */
export interface TextFiles {
  /** A file, a folder (its files and those in its folders, in the order of their paths), or several; '-' is standard input. Either this or `rows`. */
  path?: string | readonly string[]
  /** Documents, or rows that hold them. */
  rows?: Iterable<TextRow> | AsyncIterable<TextRow>
  /** What the files hold. @defaultValue what their names end in; 'txt' for standard input */
  format?: TextFormat
  /** The field that is the text, of rows. @defaultValue 'text' */
  column?: string
  /** In a .txt file; blank lines belong to no document. @defaultValue 'line' */
  documents?: DocumentUnit
}

/** A document: its text or token ids, or an object that has it in a field. */
export type TextRow = string | Ids | object

/**
 * Text to learn from: a file (.txt, .jsonl, .json, .csv, .tsv, .parquet; '-' is standard input) or a folder of them, documents from memory or anywhere, or
 * `{ path, column, documents }`. An array is held in memory; any other iterable is read as it comes, and may be endless.
 */
export type TextSource = string | Iterable<TextRow> | AsyncIterable<TextRow> | TextFiles

/** A source, checked; its files are named, folders opened. */
export interface ResolvedText {
  files: { path: string; format: TextFormat }[] | undefined
  rows: Iterable<unknown> | AsyncIterable<unknown> | undefined
  column: string
  documents: DocumentUnit
  /** Whether it is to be held in memory. */
  whole: boolean
  /** Whether it can be read again from its beginning. */
  repeatable: boolean
}

const FORMATS = ['txt', 'jsonl', 'json', 'csv', 'tsv', 'parquet'] as const

const CHECKS = {
  path: (value: unknown, name: string) => (typeof value === 'string' ? [text(value, name)] : strings(value, name)),
  rows: (value: unknown, name: string) => {
    if (isIterable(value)) return value
    throw new OptionError('OPTION_INVALID', `Option '${name}' is ${show(value)}, but must be an array or an (async) iterable of documents.`)
  },
  format: oneOf(...FORMATS),
  column: text,
  documents: oneOf('line', 'paragraph', 'file'),
}

/** Larger files than this, in bytes together, are read as they are needed instead of being held in memory as tokens. */
export const LARGEST_WHOLE = 256 * 2 ** 20

/** What a caller gave as text, checked as far as can be without opening it: throws OPTION_INVALID. */
export function checkText(given: unknown, name: string): TextFiles {
  if (typeof given === 'string') return { path: [text(given, name)] }
  if (isIterable(given)) return { rows: given as Iterable<TextRow> }
  if (!isObject(given) || !('path' in given || 'rows' in given))
    throw new OptionError(
      'OPTION_INVALID',
      `Option '${name}' is ${show(given)}, but must be text: a file or folder, an array or (async) iterable of documents, or { path, column, documents }.`,
    )
  const checked = checkOptions('text', given, CHECKS, `${name}.`)
  if ((checked.path === undefined) === (checked.rows === undefined))
    throw new OptionError('OPTION_INVALID', `Option '${name}' has either 'path' or 'rows'.`)
  return checked as TextFiles
}

/** Finds the files. Rejects with DATA_FILE_NOT_FOUND, DATA_FILE_INVALID for a file of no known kind, or DATA_EMPTY for a folder without any that is. */
export async function resolveText({ path, rows, format, column = 'text', documents = 'line' }: TextFiles): Promise<ResolvedText> {
  if (rows !== undefined) {
    const whole = Array.isArray(rows)
    return { files: undefined, rows, column, documents, whole, repeatable: whole }
  }
  const paths = typeof path === 'string' ? [path] : (path ?? [])
  const found = await Promise.all(paths.map((one) => filesOf(one, format)))
  const files = found.flatMap((some) => some.files)
  const bytes = found.reduce((sum, some) => sum + some.bytes, 0)
  const repeatable = !files.some((file) => file.path === STDIN)
  return { files, rows: undefined, column, documents, whole: repeatable && bytes <= LARGEST_WHOLE, repeatable }
}

async function filesOf(
  path: string,
  format: TextFormat | undefined,
): Promise<{ files: { path: string; format: TextFormat }[]; bytes: number }> {
  if (path === STDIN) return { files: [{ path, format: format ?? 'txt' }], bytes: 0 }
  const found = await stat(path).catch((error) => {
    throw fileError(path, error)
  })
  if (!found.isDirectory()) return { files: [{ path, format: format ?? formatOf(path) }], bytes: found.size }
  const names = (await readdir(path, { recursive: true })).sort()
  const known = names.map((name) => join(path, name)).filter((name) => knownFormat(name) !== undefined)
  const sizes = await Promise.all(known.map((name) => stat(name)))
  const files = known.filter((_, i) => sizes[i]!.isFile()).map((name) => ({ path: name, format: format ?? formatOf(name) }))
  if (files.length === 0) throw new DataError('DATA_EMPTY', `The folder ${path} has no file that ends in ${ENDINGS}.`)
  return { files, bytes: sizes.reduce((sum, { size }) => sum + size, 0) }
}

const ENDINGS = '.txt, .jsonl, .json, .csv, .tsv or .parquet'

function knownFormat(path: string): TextFormat | undefined {
  const ending = extname(path).slice(1).toLowerCase()
  return FORMATS.find((format) => format === ending)
}

function formatOf(path: string): TextFormat {
  const known = knownFormat(path)
  if (known) return known
  throw new DataError(
    'DATA_FILE_INVALID',
    `${path} is not a kind of file that text can be read from: its name must end in ${ENDINGS}, or its format must be given.`,
  )
}
