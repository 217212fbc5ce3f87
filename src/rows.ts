import { DataError, OptionError, TokenizerError } from './errors.js'
import type { Frozen } from './frozen.js'
import type { NativePromptedRows, NativePromptRows, TokenRows } from './native.js'
import { show } from './options/check.js'
import { checkPromptFor, type SoftPrompt } from './prompt.js'
import type { Ids, Tokenizer } from './tokenizer/tokenizer.js'

export type { Ids }

/** Token ids, and not a list of other things; an empty list is not. */
export function isIds(value: unknown): value is Ids {
  return value instanceof Int32Array || (Array.isArray(value) && typeof value[0] === 'number')
}

/** The token ids of an input or target: text gets its `</s>`, ids are checked and taken as they are. `where` names it in messages ("Row 3"). */
export function toIds(model: Frozen, value: unknown, where: string): Int32Array {
  if (typeof value === 'string') return encodeText(model, value, where)
  if (!isIds(value) && !isEmptyArray(value))
    throw new OptionError(
      'OPTION_INVALID',
      `${where} is ${show(value)}, but must be a string or token ids (an Int32Array or an array of integers).`,
    )
  return checkIds(model, value, where)
}

function isEmptyArray(value: unknown): value is [] {
  return Array.isArray(value) && value.length === 0
}

function encodeText(model: Frozen, text: string, where: string): Int32Array {
  const ids = requireTokenizer(model, where).encode(text)
  const closed = new Int32Array(ids.length + 1)
  closed.set(ids)
  closed[ids.length] = model.config.eosTokenId
  return closed
}

/** The model's tokenizer; TOKENIZER_MISSING, begun with `where`, if it has none. */
export function requireTokenizer(model: Frozen, where: string): Tokenizer {
  if (model.tokenizer) return model.tokenizer
  const help = 'Put its spiece.model or tokenizer.json beside the weights, or pass token ids.'
  throw new TokenizerError('TOKENIZER_MISSING', `${where} is text, but the model ${model.name} has no tokenizer. ${help}`)
}

/** Token ids that the model has embeddings for; TOKEN_OUT_OF_RANGE otherwise. */
export function checkIds(model: Frozen, ids: Ids, where: string): Int32Array {
  const { vocabSize } = model.config
  const position = (ids as readonly number[]).findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)
  if (position >= 0) {
    const text = `token id ${show(ids[position])} at position ${position} is not an integer from 0 to ${vocabSize - 1} (vocab_size ${vocabSize})`
    throw new TokenizerError('TOKEN_OUT_OF_RANGE', `${where}: ${text}.`)
  }
  return Int32Array.from(ids)
}

/** Inputs for the encoder: at least one token each, since an empty sequence has nothing to attend to. */
export function toInputIds(model: Frozen, value: unknown, where: string): Int32Array {
  const ids = toIds(model, value, where)
  if (ids.length === 0)
    throw new DataError('DATA_ROW_INVALID', `${where} has no token ids. Give at least one (</s> is ${model.config.eosTokenId}).`)
  return ids
}

export function toTargetIds(model: Frozen, value: unknown, where: string): Int32Array {
  const ids = toIds(model, value, where)
  if (ids.length === 0 || value === '') throw new DataError('DATA_TARGET_EMPTY', `${where} is empty. Every row needs a target.`)
  return ids
}

/** All rows in one array, as they cross to the native module. */
export function tokenRows(rows: readonly Int32Array[]): TokenRows {
  const offsets = new Int32Array(rows.length + 1)
  rows.forEach((row, i) => {
    offsets[i + 1] = (offsets[i] as number) + row.length
  })
  const ids = new Int32Array(offsets[rows.length] as number)
  rows.forEach((row, i) => {
    ids.set(row, offsets[i])
  })
  return { ids, offsets }
}

export interface PromptedRow {
  ids: Int32Array
  prompt: SoftPrompt | null
}

/** Rows with their prompts, each distinct prompt once, and checked against the model. */
export function promptedRows(model: Frozen, rows: readonly PromptedRow[]): NativePromptedRows {
  const indexOf = new Map<SoftPrompt, number>()
  const prompts: NativePromptRows[] = []
  const promptOfRow = Int32Array.from(rows, ({ prompt }, row) => {
    if (!prompt) return -1
    const known = indexOf.get(prompt)
    if (known !== undefined) return known
    prompts.push(checkPromptFor(model, prompt, rows.length > 1 ? `Row ${row}` : 'The query'))
    indexOf.set(prompt, prompts.length - 1)
    return prompts.length - 1
  })
  return { inputs: tokenRows(rows.map((row) => row.ids)), prompts, promptOfRow }
}
