import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { FileError, TokenizerError } from '../errors.js'
import { checkTokenizerConfig, type TokenizerConfig } from './config.js'
import type { Refuse } from './tokenizer.js'

// Several times the largest that any T5 has: 16 MB of tokenizer.json (mT5), 5 MB of pieces (umT5).
const LARGEST_JSON = 64 << 20
const LARGEST_MODEL = 16 << 20

/** The bytes of `spiece.model`, or null where there is none. */
export function readPieces(folder: string): Promise<{ path: string; bytes: Buffer } | null> {
  return readIfThere(join(folder, 'spiece.model'), LARGEST_MODEL)
}

/** `tokenizer.json`, as far as it is an object; or null. */
export function readTokenizerJson(folder: string): Promise<{ path: string; json: object } | null> {
  return readJson(join(folder, 'tokenizer.json'))
}

/** What `tokenizer_config.json` says, checked; empty where there is none. */
export async function readTokenizerConfig(folder: string): Promise<TokenizerConfig> {
  const file = await readJson(join(folder, 'tokenizer_config.json'))
  return file ? checkTokenizerConfig(file.json, refusing(file.path)) : {}
}

/** `tokenizer_class` of the model's own config.json, which its own reader checks. */
export async function readTokenizerClass(folder: string): Promise<unknown> {
  const file = await readJson(join(folder, 'config.json')).catch(() => null)
  return (file?.json as { tokenizer_class?: unknown } | undefined)?.tokenizer_class
}

export function refusing(path: string): Refuse {
  return (reason) => new TokenizerError('TOKENIZER_INVALID', `${path}: ${reason}. Fetch the file again from where the model came from.`)
}

async function readJson(path: string): Promise<{ path: string; json: object } | null> {
  const file = await readIfThere(path, LARGEST_JSON)
  if (!file) return null
  let json: unknown
  try {
    json = JSON.parse(file.bytes.toString('utf8'))
  } catch (error) {
    throw refusing(path)(`it is not JSON: ${(error as Error).message}`)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw refusing(path)('it is not a JSON object')
  return { path, json }
}

async function readIfThere(path: string, largest: number): Promise<{ path: string; bytes: Buffer } | null> {
  try {
    return { path, bytes: await readBounded(path, largest) }
  } catch (error) {
    if (TokenizerError.isInstance(error)) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new FileError('FILE_READ', `${path} could not be read: ${(error as Error).message}`, { cause: error })
  }
}

async function readBounded(path: string, largest: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size > largest) throw refusing(path)(`it has ${size} bytes, and more than ${largest} are not read`)
    return await file.readFile()
  } finally {
    await file.close() // no `await using`: under Yarn's Plug'n'Play handles are not disposable
  }
}
