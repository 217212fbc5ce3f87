import type { SoftPromptError } from '../errors.js'

/** Token ids: integers from 0. */
export type Ids = Int32Array | readonly number[]

/** How `Tokenizer.encode` cuts. */
export interface EncodeOptions {
  /** Stop after this many tokens: the first ones of the whole text's, without paying for the rest of a long text. */
  maxTokens?: number
}

/** How `Tokenizer.decode` spells. */
export interface DecodeOptions {
  /** Leave out `</s>`, `<pad>` and sentinels (default), or write them as they are spelt. */
  skipSpecial?: boolean
}

/** Turns ids into text one at a time: the pieces put together are what `decode` makes of all the ids. */
export interface StreamDecoder {
  /** The text that this id completes; empty while it only holds part of a character. */
  push(id: number): string
  /** What is left at the end. */
  flush(): string
}

/** The text of all ids: what a tokenizer's `decode` is, given its stream decoder. */
export function decodeAll(decoder: StreamDecoder, ids: Ids): string {
  let text = ''
  for (const id of ids) text += decoder.push(id)
  return text + decoder.flush()
}

/** Text to token ids and back. Pure: the same text gives the same ids, and no call changes the tokenizer. */
export interface Tokenizer {
  /** Ids are in `[0, vocabSize)`, sentinels included. A model's embedding may have more rows. */
  readonly vocabSize: number
  /** Id of `</s>`. */
  readonly eosTokenId: number
  /** The ids of the text alone: no `</s>` is added. Never fails: a lone surrogate reads as U+FFFD. */
  encode(text: string, options?: EncodeOptions): Int32Array
  /** Ids that the tokenizer has no piece for (a model's vocabulary is often padded) decode to nothing. */
  decode(ids: Ids, options?: DecodeOptions): string
  /** Decodes ids one at a time, as `T5.stream` does. */
  createStreamDecoder(options?: DecodeOptions): StreamDecoder
  /** The id of a piece as the vocabulary spells it ('\u2581jazz', '`</s>`'); undefined where it has none. */
  pieceToId(piece: string): number | undefined
  /** The piece of an id; undefined where the vocabulary has none. */
  idToPiece(id: number): string | undefined
}

/** What a reader of tokenizer files throws at a broken one; it knows the file's name. */
export type Refuse = (reason: string) => SoftPromptError
