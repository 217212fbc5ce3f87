import { DataError, TokenizerError } from '../errors.js'
import { show } from '../options/check.js'
import { TimeSlice } from '../time-slice.js'
import type { Ids, Tokenizer } from '../tokenizer/index.js'
import type { Part } from './read.js'

export interface PackOptions {
  tokenizer: Tokenizer | null
  eosTokenId: number
  /** Rows of the model's embedding: ids are in `[0, vocabSize)`. */
  vocabSize: number
  /** Tokens of a window. */
  length: number
  signal?: AbortSignal | undefined
}

/** What was read until now. */
export interface TextCounts {
  /** Documents read to their end. */
  documents: number
  /** A `</s>` after each document included. */
  tokens: number
  /** Tokens that stand for characters which the tokenizer does not know. */
  unknownTokens: number
}

/** So many tokens without a known one are enough to call a text unknown. */
const ENOUGH_UNKNOWN = 4096

/** Turns documents into one sequence of tokens, with a `</s>` after each, and cuts that into windows of one length; a rest that fills none is left out. */
export class Packer {
  readonly counts: TextCounts = { documents: 0, tokens: 0, unknownTokens: 0 }
  readonly #unknown: number | undefined
  /** What is neither known nor unknown: the space in front of an unknown word. */
  readonly #space: number | undefined
  #known = false

  constructor(private readonly options: PackOptions) {
    this.#unknown = options.tokenizer?.pieceToId('<unk>')
    this.#space = options.tokenizer?.pieceToId('\u2581')
  }

  /**
   * @throws TokenizerError `TOKENIZER_MISSING`, `TOKEN_OUT_OF_RANGE`
   * @throws DataError `DATA_TEXT_UNKNOWN`
   */
  async *windows(parts: AsyncIterable<Part>): AsyncGenerator<Int32Array> {
    const { length, eosTokenId, signal } = this.options
    const slice = new TimeSlice()
    let window = new Int32Array(length)
    let filled = 0
    for await (const part of parts) {
      if (slice.spent) {
        await slice.pause()
        signal?.throwIfAborted()
      }
      const ids = part === 'end' ? [eosTokenId] : this.#encode(part.content, part.where)
      this.#count(part, ids)
      for (const id of ids) {
        window[filled++] = id
        if (filled < length) continue
        yield window
        window = new Int32Array(length)
        filled = 0
      }
    }
    if (!this.#known && this.counts.unknownTokens > 0) throw this.#unknownText()
  }

  #encode(content: string | Ids, where: string): Ids {
    const { tokenizer, vocabSize } = this.options
    if (typeof content === 'string' && !tokenizer)
      throw new TokenizerError(
        'TOKENIZER_MISSING',
        `${where} is text, but the model has no tokenizer. Put its spiece.model or tokenizer.json beside the weights, or give token ids.`,
      )
    const ids = typeof content === 'string' ? tokenizer!.encode(content) : content
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)
    if (wrong === undefined) return ids
    throw new TokenizerError(
      'TOKEN_OUT_OF_RANGE',
      `${where}: ${show(wrong)} is not a token id of this model, whose ids are integers from 0 to ${vocabSize - 1}.`,
    )
  }

  #count(part: Part, ids: Ids): void {
    this.counts.tokens += ids.length
    if (part === 'end') {
      this.counts.documents += 1
      return
    }
    for (const id of ids) {
      if (id === this.#unknown) this.counts.unknownTokens += 1
      else if (id !== this.#space) this.#known = true
    }
    if (!this.#known && this.counts.unknownTokens >= ENOUGH_UNKNOWN) throw this.#unknownText()
  }

  #unknownText(): DataError {
    return new DataError(
      'DATA_TEXT_UNKNOWN',
      `The tokenizer knows no character of the text (${this.counts.unknownTokens} unknown tokens). Use a model whose vocabulary has the text's language, such as mT5 or ByT5.`,
    )
  }
}
