import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileError, TokenizerError } from '../errors.js'
import { ByteTokenizer } from './bytes.js'
import { HuggingFaceTokenizer } from './huggingface.js'
import { SentencePieceTokenizer } from './sentencepiece.js'
import type { TokenizerConfig } from './special-tokens.js'
import type { Refuse, Tokenizer } from './tokenizer.js'

/**
 * The tokenizer of a model folder: from `spiece.model` if it is there, else from `tokenizer.json`, else that of bytes where `tokenizer_config.json` or
 * `config.json` names ByT5's; `null` if there is none. `tokenizer_config.json` gives the number of sentinels and the spelling of special tokens.
 *
 * @throws TokenizerError `TOKENIZER_INVALID` for a file that is not what its name says, `TOKENIZER_UNSUPPORTED` for a SentencePiece model that is not
 * Unigram where there is no `tokenizer.json` to take instead
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer | null> {
  const config = ((await readJson(join(folder, 'tokenizer_config.json'))) ?? {}) as TokenizerConfig
  const path = join(folder, 'spiece.model')
  const pieces = await readIfThere(path)
  if (!pieces) return (await loadJson(folder, config)) ?? ((await namesBytes(folder, config)) ? new ByteTokenizer(config) : null)
  try {
    return await SentencePieceTokenizer.create(pieces, { config, refuse: refusing(path), refuseKind: refusingKind(path) })
  } catch (error) {
    const other = TokenizerError.isInstance(error) && error.code === 'TOKENIZER_UNSUPPORTED' ? await loadJson(folder, config) : null
    if (other) return other
    throw error
  }
}

/** ByT5 has no file of its own, and its `model_type` is t5: it is known by the name of its tokenizer's class. */
export async function namesBytes(folder: string, config: TokenizerConfig = {}): Promise<boolean> {
  const { tokenizer_class: name } = config.tokenizer_class
    ? config
    : (((await readJson(join(folder, 'config.json')).catch(() => null)) ?? {}) as TokenizerConfig)
  return name === BYTES
}

const BYTES = 'ByT5Tokenizer'

async function loadJson(folder: string, config: TokenizerConfig): Promise<Tokenizer | null> {
  const path = join(folder, 'tokenizer.json')
  const json = await readJson(path)
  return json ? HuggingFaceTokenizer.create(json, { config, refuse: refusing(path) }) : null
}

async function readJson(path: string): Promise<object | null> {
  const bytes = await readIfThere(path)
  if (!bytes) return null
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw refusing(path)(`it is not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusing(path)('it is not a JSON object')
  return value
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new FileError('FILE_READ', `${path} could not be read: ${(error as Error).message}`, { cause: error })
  }
}

function refusing(path: string): Refuse {
  return (reason) => new TokenizerError('TOKENIZER_INVALID', `${path}: ${reason}. Fetch the file again from where the model came from.`)
}

function refusingKind(path: string): Refuse {
  return (reason) => new TokenizerError('TOKENIZER_UNSUPPORTED', `${path}: ${reason}. Put the model's tokenizer.json beside it.`)
}
