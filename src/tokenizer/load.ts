import { TokenizerError } from '../errors.js'
import { ByteTokenizer } from './bytes.js'
import type { TokenizerConfig } from './config.js'
import { readPieces, readTokenizerClass, readTokenizerConfig, readTokenizerJson, refusing } from './files.js'
import { HuggingFaceTokenizer } from './huggingface.js'
import { SentencePieceTokenizer } from './sentencepiece.js'
import type { Refuse, Tokenizer } from './tokenizer.js'

/**
 * The tokenizer of a model folder: from `spiece.model` if it is there, else from `tokenizer.json`, else that of bytes where `tokenizer_config.json` or
 * `config.json` names ByT5's; `null` if there is none. `tokenizer_config.json` gives the number of sentinels and the spelling of special tokens.
 *
 * @throws TokenizerError `TOKENIZER_INVALID` for a file that is not what its name says, `TOKENIZER_UNSUPPORTED` for a SentencePiece model that is not
 * Unigram where there is no `tokenizer.json` to take instead
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer | null> {
  const config = await readTokenizerConfig(folder)
  const pieces = await readPieces(folder)
  if (!pieces) return (await loadJson(folder, config)) ?? ((await namesBytes(folder, config)) ? new ByteTokenizer(config) : null)
  const { path, bytes } = pieces
  try {
    return await SentencePieceTokenizer.create(bytes, { config, refuse: refusing(path), refuseKind: refusingKind(path) })
  } catch (error) {
    const other = TokenizerError.isInstance(error) && error.code === 'TOKENIZER_UNSUPPORTED' ? await loadJson(folder, config) : null
    if (other) return other
    throw error
  }
}

/** ByT5 has no file of its own, and its `model_type` is t5: it is known by the name of its tokenizer's class. */
export async function namesBytes(folder: string, config: TokenizerConfig = {}): Promise<boolean> {
  return (config.tokenizer_class ?? (await readTokenizerClass(folder))) === BYTES
}

const BYTES = 'ByT5Tokenizer'

async function loadJson(folder: string, config: TokenizerConfig): Promise<Tokenizer | null> {
  const file = await readTokenizerJson(folder)
  return file && HuggingFaceTokenizer.create(file.json, { config, refuse: refusing(file.path) })
}

function refusingKind(path: string): Refuse {
  return (reason) => new TokenizerError('TOKENIZER_UNSUPPORTED', `${path}: ${reason}. Put the model's tokenizer.json beside it.`)
}
