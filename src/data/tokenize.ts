import { DataError, TokenizerError } from '../errors.js'
import { show } from '../options/check.js'
import { TimeSlice } from '../time-slice.js'
import type { Ids, Tokenizer } from '../tokenizer/index.js'
import type { ExampleSet } from './read.js'

export interface TokenizeOptions {
  tokenizer: Tokenizer | null
  eosTokenId: number
  /** Rows of the model's embedding: ids are in `[0, vocabSize)`. */
  vocabSize: number
  /** Tokens, `</s>` included. @defaultValue 512 */
  maxInputLength?: number | undefined
  /** @defaultValue 128 */
  maxTargetLength?: number | undefined
  signal?: AbortSignal | undefined
}

/** Examples as token ids, ready to cross to the native module. */
export interface DataSet {
  inputs: Int32Array[]
  targets: Int32Array[]
  /** Whether a row's input (target) was longer than allowed, and cut. */
  cutInputs: boolean[]
  cutTargets: boolean[]
  /** As given; of token ids, what they decode to. */
  inputText(row: number): string
  targetText(row: number): string
  /** All fields of the row as its source had it. */
  fields(row: number): Readonly<Record<string, unknown>>
  /** Names a row in a message. */
  describe(row: number): string
}

/**
 * Turns examples into ids. Text: its ids and `</s>`; what is too long is cut so that `</s>` still fits. Token ids: as they are; what is too long is cut,
 * and nothing is put in place of a `</s>` lost with it.
 *
 * @throws TokenizerError `TOKENIZER_MISSING`, `TOKEN_OUT_OF_RANGE`
 * @throws DataError `DATA_TARGET_EMPTY` for a target of white space alone
 */
export async function tokenizeExamples({ examples, fields, describe }: ExampleSet, options: TokenizeOptions): Promise<DataSet> {
  const { maxInputLength = 512, maxTargetLength = 128, tokenizer, signal } = options
  const slice = new TimeSlice()
  const inputs: Int32Array[] = []
  const targets: Int32Array[] = []
  const cutInputs: boolean[] = []
  const cutTargets: boolean[] = []
  for (const [row, { input, target }] of examples.entries()) {
    if (slice.spent) {
      await slice.pause()
      signal?.throwIfAborted()
    }
    const where = describe(row)
    const [inputIds, inputCut] = toIds(input, maxInputLength, where, options)
    inputs.push(inputIds)
    cutInputs.push(inputCut)
    const [targetIds, targetCut] = toIds(target, maxTargetLength, where, options)
    cutTargets.push(targetCut)
    if (typeof target === 'string' && targetIds.length === 1) checkTarget(target, where, options)
    targets.push(targetIds)
  }
  const textOf = (value: string | Ids) => (typeof value === 'string' ? value : (tokenizer?.decode(value) ?? Array.from(value).join(' ')))
  const inputText = (row: number) => textOf(examples[row]!.input)
  const targetText = (row: number) => textOf(examples[row]!.target)
  return { inputs, targets, cutInputs, cutTargets, inputText, targetText, fields, describe }
}

/** The ids, and whether they are all. */
function toIds(value: string | Ids, maxLength: number, where: string, options: TokenizeOptions): [Int32Array, boolean] {
  if (typeof value === 'string') return encode(value, maxLength, where, options)
  const { vocabSize } = options
  const wrong = Array.from(value).find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)
  if (wrong !== undefined) {
    throw new TokenizerError(
      'TOKEN_OUT_OF_RANGE',
      `${where}: ${show(wrong)} is not a token id of this model, whose ids are integers from 0 to ${vocabSize - 1}.`,
    )
  }
  return [Int32Array.from(value.slice(0, maxLength)), value.length > maxLength]
}

function encode(text: string, maxLength: number, where: string, { tokenizer, eosTokenId }: TokenizeOptions): [Int32Array, boolean] {
  if (!tokenizer) {
    const help = "Put the model's spiece.model or tokenizer.json beside its weights, or give token ids instead of text."
    throw new TokenizerError('TOKENIZER_MISSING', `${where}: the row is text, but the model has no tokenizer. ${help}`)
  }
  // One more than there is room for, to see whether something is cut.
  const ids = tokenizer.encode(text, { maxTokens: maxLength })
  const kept = ids.subarray(0, maxLength - 1)
  const closed = new Int32Array(kept.length + 1)
  closed.set(kept)
  closed[kept.length] = eosTokenId
  return [closed, ids.length > kept.length]
}

function checkTarget(target: string, where: string, { tokenizer }: TokenizeOptions): void {
  if (tokenizer!.encode(target, { maxTokens: 1 }).length > 0) return
  throw new DataError(
    'DATA_TARGET_EMPTY',
    `${where}: no token comes of the target ${show(target)}: it is white space, or characters that the tokenizer drops. Every row needs a target.`,
  )
}
