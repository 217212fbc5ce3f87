import type { Tokenizer as HuggingFace } from '@huggingface/tokenizers'
import { spellingOf, type TokenizerConfig } from './special-tokens.js'
import type { DecodeOptions, EncodeOptions, Ids, Refuse, StreamDecoder, Tokenizer } from './tokenizer.js'

export interface HuggingFaceOptions {
  config?: TokenizerConfig
  refuse: Refuse
}

/** A `tokenizer.json` through Hugging Face's own library: for models that come without a `spiece.model`. */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly eosTokenId: number

  private constructor(
    private readonly inner: HuggingFace,
    config: TokenizerConfig,
    refuse: Refuse,
  ) {
    let highest = -1
    for (const id of inner.get_vocab(true).values()) highest = Math.max(highest, id)
    this.vocabSize = highest + 1
    const eos = spellingOf(config.eos_token, '</s>')
    const eosId = inner.token_to_id(eos)
    if (eosId === undefined) throw refuse(`it has no piece ${eos} to end a text with`)
    this.eosTokenId = eosId
  }

  static async create(json: object, { config = {}, refuse }: HuggingFaceOptions): Promise<HuggingFaceTokenizer> {
    const { Tokenizer } = await import('@huggingface/tokenizers')
    let inner: HuggingFace
    try {
      inner = new Tokenizer(json, config)
      inner.encode('a')
    } catch (error) {
      throw refuse(`it is not a tokenizer that can be built: ${(error as Error).message}`)
    }
    return new HuggingFaceTokenizer(inner, config, refuse)
  }

  encode(text: string, { maxTokens }: EncodeOptions = {}): Int32Array {
    if (text === '') return new Int32Array()
    const { ids } = this.inner.encode(text, { add_special_tokens: false })
    return Int32Array.from(maxTokens === undefined ? ids : ids.slice(0, maxTokens))
  }

  decode(ids: Ids, { skipSpecial = true }: DecodeOptions = {}): string {
    const known = Array.from(ids).filter((id) => this.idToPiece(id) !== undefined)
    return known.length === 0 ? '' : this.inner.decode(known, { skip_special_tokens: skipSpecial })
  }

  createStreamDecoder(options: DecodeOptions = {}): StreamDecoder {
    return new RestartingDecoder((ids) => this.decode(ids, options))
  }

  pieceToId(piece: string): number | undefined {
    return this.inner.token_to_id(piece)
  }

  idToPiece(id: number): string | undefined {
    return this.inner.id_to_token(id)
  }
}

/**
 * Streams from a decoder that only knows whole texts: all ids so far are decoded again with each new one. A tail of U+FFFD is held back, since the next
 * id may complete the character.
 */
class RestartingDecoder implements StreamDecoder {
  private readonly ids: number[] = []
  private given = ''

  constructor(private readonly decode: (ids: number[]) => string) {}

  push(id: number): string {
    this.ids.push(id)
    return this.give(this.decode(this.ids).replace(/\ufffd+$/, ''))
  }

  flush(): string {
    return this.give(this.decode(this.ids))
  }

  private give(text: string): string {
    if (!text.startsWith(this.given)) return ''
    const fresh = text.slice(this.given.length)
    this.given = text
    return fresh
  }
}
