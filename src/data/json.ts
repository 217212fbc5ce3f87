import { DataError } from '../errors.js'
import type { RawRow } from './example.js'
import { readLines } from './lines.js'
import { fileName } from './source.js'

/** What a row looks like, for messages. */
const EXAMPLE = '{ "input": "some text", "target": "its answer" }'

/** One JSON value a line; blank lines are passed over. */
export async function* readJsonLines(path: string, signal?: AbortSignal, expected = EXAMPLE): AsyncGenerator<RawRow> {
  for await (const { text, number } of readLines(path, signal)) {
    if (text.trim() === '') continue
    yield { value: parseLine(text, `${fileName(path)}, line ${number}`, expected), line: number }
  }
}

function parseLine(text: string, where: string, expected: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const message = `${where}: not JSON (${(error as Error).message}). Expected ${expected} on a line of its own.`
    throw new DataError('DATA_ROW_INVALID', message, { cause: error })
  }
}

/** One JSON array of rows; the file is read as a whole. */
export async function* readJsonArray(path: string, signal?: AbortSignal): AsyncGenerator<RawRow> {
  const lines: string[] = []
  for await (const { text } of readLines(path, signal)) lines.push(text)
  if (lines.every((line) => line.trim() === '')) return
  let rows: unknown
  try {
    rows = JSON.parse(lines.join('\n'))
  } catch (error) {
    const message = `${fileName(path)} is not JSON (${(error as Error).message}). A .json file holds one array of rows; for a row a line, name it .jsonl.`
    throw new DataError('DATA_FILE_INVALID', message, { cause: error })
  }
  if (!Array.isArray(rows))
    throw new DataError(
      'DATA_FILE_INVALID',
      `${fileName(path)} holds JSON, but not an array of rows [{ "input": ..., "target": ... }, ...].`,
    )
  for (const value of rows) yield { value }
}
