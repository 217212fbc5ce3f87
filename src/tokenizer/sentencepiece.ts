import { TimeSlice } from '../time-slice.js'
import { LONGEST_RULE } from './char-map.js'
import { spellingOf, type TokenizerConfig } from './config.js'
import { PieceDecoder, type Surface, surfacesOf } from './decoder.js'
import { type ParseOptions, PieceType, parseSentencePieceModel, type SentencePieceModel } from './model-file.js'
import { Normalizer } from './normalizer.js'
import { SpecialTokenSplitter, specialTokensOf } from './special-tokens.js'
import { type DecodeOptions, decodeAll, type EncodeOptions, type Ids, type StreamDecoder, type Tokenizer } from './tokenizer.js'
import { ByteTrie } from './trie.js'
import { Unigram } from './unigram.js'

const utf8 = new TextEncoder()
// Up to this many characters the memory that text is turned into bytes in is kept for the next one.
const KEPT_CHARACTERS = 1 << 18
// More than a token of ordinary text has.
const LIKELY_CHARACTERS = 16

export interface SentencePieceOptions extends Omit<ParseOptions, 'slice'> {
  config?: TokenizerConfig
}

/**
 * T5's tokenizer from its own `spiece.model`: the ids of SentencePiece 0.2 for each stretch of text between special tokens, which are split off first
 * as Hugging Face does.
 */
export class SentencePieceTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly eosTokenId: number
  private readonly ids: Map<string, number>
  private readonly splitter: SpecialTokenSplitter
  private readonly surfaces: (Surface | undefined)[]
  private readonly spellings: (string | undefined)[]
  private bytes = new Uint8Array(0)

  private constructor(
    private readonly model: SentencePieceModel,
    private readonly normalizer: Normalizer,
    private readonly unigram: Unigram,
    { config = {}, refuse }: SentencePieceOptions,
  ) {
    const { pieces } = model
    this.ids = new Map(pieces.map((piece, id) => [piece.text, id]))
    const specials = specialTokensOf(config, pieces.length, (piece) => this.ids.get(piece))
    this.splitter = new SpecialTokenSplitter(specials)
    this.surfaces = surfacesOf(model)
    this.spellings = pieces.map((piece) => piece.text)
    for (const { text, id, special } of specials) {
      this.ids.set(text, id)
      this.spellings[id] = text
      if (id !== model.unknownId) this.surfaces[id] = { kind: special ? 'special' : 'text', text }
    }
    this.vocabSize = this.spellings.length
    const eos = spellingOf(config.eos_token, '</s>')
    const eosId = this.ids.get(eos)
    if (eosId === undefined) throw refuse(`it has no piece ${eos} to end a text with`)
    this.eosTokenId = eosId
  }

  /** From the bytes of a `spiece.model`. In stretches, as a vocabulary of 250,000 pieces takes seconds. */
  static async create(file: Uint8Array, options: SentencePieceOptions): Promise<SentencePieceTokenizer> {
    const slice = new TimeSlice()
    const model = await parseSentencePieceModel(file, { ...options, slice })
    const { pieces, normalizer: spec, whitespaceAsSuffix } = model
    const userDefined = [...pieces.keys()].filter((id) => pieces[id]!.type === PieceType.userDefined)
    const kept = userDefined.length > 0 ? await ByteTrie.of(pieces, userDefined, slice) : null
    const normalizer = new Normalizer({ spec, whitespaceAsSuffix, userDefined: kept }, options.refuse)
    const unigram = await Unigram.create(model, slice)
    await slice.pause()
    return new SentencePieceTokenizer(model, normalizer, unigram, options)
  }

  encode(text: string, { maxTokens = Number.POSITIVE_INFINITY }: EncodeOptions = {}): Int32Array {
    const ids: number[] = []
    for (const part of this.splitter.split(text)) {
      if (ids.length >= maxTokens) break
      if (typeof part === 'number') ids.push(part)
      else this.encodePart(part, ids, maxTokens)
    }
    if (ids.length > maxTokens) ids.length = maxTokens
    return Int32Array.from(ids)
  }

  decode(ids: Ids, options: DecodeOptions = {}): string {
    return decodeAll(this.createStreamDecoder(options), ids)
  }

  createStreamDecoder({ skipSpecial = true }: DecodeOptions = {}): StreamDecoder {
    const { addDummyPrefix, removeExtraWhitespaces } = this.model.normalizer
    const leadingSpaces = removeExtraWhitespaces ? 'all' : addDummyPrefix ? 'one' : 'none'
    return new PieceDecoder({ surfaces: this.surfaces, skipSpecial, leadingSpaces })
  }

  pieceToId(piece: string): number | undefined {
    return this.ids.get(piece)
  }

  idToPiece(id: number): string | undefined {
    return this.spellings[id]
  }

  /** Appends the ids of text without special tokens. Of a text much longer than `limit` tokens only a beginning is looked at, if that settles them. */
  private encodePart(text: string, ids: number[], limit: number): void {
    const before = ids.length
    for (let length = LIKELY_CHARACTERS * limit; length < text.length; length *= 8) {
      const normalized = this.normalize(text.slice(0, length))
      const end = this.unigram.encode(normalized, ids, limit)
      // What the cut may have changed: the last rule's characters, and which pieces start in the last few bytes.
      if (end + this.unigram.longestPiece + LONGEST_RULE < normalized.length) return
      ids.length = before
    }
    this.unigram.encode(this.normalize(text), ids, limit)
  }

  private normalize(text: string): Uint8Array {
    // A UTF-16 unit takes at most three bytes.
    const kept = text.length <= KEPT_CHARACTERS
    if (kept && this.bytes.length < 3 * text.length) this.bytes = new Uint8Array(Math.max(3 * text.length, 1 << 12))
    const bytes = kept ? this.bytes : new Uint8Array(3 * text.length)
    const { written } = utf8.encodeInto(text, bytes)
    return this.normalizer.normalize(bytes, written)
  }
}
