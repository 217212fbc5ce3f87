import type { Tokenizer as HuggingFace } from '@huggingface/tokenizers'
import { HIGHEST_ID, isTokenId, spellingOf, type TokenizerConfig } from './config.js'
import { isTimeout, withinMilliseconds } from './time-limit.js'
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
    private readonly guard: Guard,
    { config = {}, refuse }: HuggingFaceOptions,
  ) {
    let highest = -1
    for (const id of inner.get_vocab(true).values()) highest = Math.max(highest, id)
    this.vocabSize = highest + 1
    const eos = spellingOf(config.eos_token, '</s>')
    const eosId = inner.token_to_id(eos)
    if (eosId === undefined) throw refuse(`it has no piece ${eos} to end a text with`)
    this.eosTokenId = eosId
  }

  static async create(json: object, options: HuggingFaceOptions): Promise<HuggingFaceTokenizer> {
    const { Tokenizer } = await import('@huggingface/tokenizers')
    checkIds(json, options.refuse)
    const guard = guardOf(json, options.refuse)
    const inner = guardOf(
      json,
      options.refuse,
      'always',
    )('it is not a tokenizer that can be built', () => {
      const tokenizer = new Tokenizer(json, options.config ?? {})
      if (!tokenizer.encode('a').ids.every((id) => Number.isInteger(id) && id >= 0)) throw new Error('its ids are not whole numbers')
      return tokenizer
    })
    return new HuggingFaceTokenizer(inner, guard, options)
  }

  encode(text: string, { maxTokens }: EncodeOptions = {}): Int32Array {
    if (text === '') return new Int32Array()
    const { ids } = this.guard('it fails on a text', () => this.inner.encode(text, { add_special_tokens: false }))
    return Int32Array.from(maxTokens === undefined ? ids : ids.slice(0, maxTokens))
  }

  decode(ids: Ids, { skipSpecial = true }: DecodeOptions = {}): string {
    const known = Array.from(ids).filter((id) => this.idToPiece(id) !== undefined)
    return known.length === 0 ? '' : this.guard('it fails on ids', () => this.inner.decode(known, { skip_special_tokens: skipSpecial }))
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

/** Calls the library; what it throws, or that it takes too long, becomes an error that begins with `what`. */
type Guard = <T>(what: string, work: () => T) => T

// The one regular expression of the T5s' own files. Others may take any time on some text, which is limited.
const KNOWN_PATTERNS: unknown[] = [' {2,}']
const LIMIT_MS = 5_000

function guardOf(json: object, refuse: Refuse, when: 'always' | 'unknownPatterns' = 'unknownPatterns'): Guard {
  const isKnown = when !== 'always' && patternsOf(json).every((pattern) => KNOWN_PATTERNS.includes(pattern))
  return (what, work) => {
    try {
      return isKnown ? work() : withinMilliseconds(LIMIT_MS, work)
    } catch (error) {
      throw refuse(
        isTimeout(error)
          ? `it takes more than ${LIMIT_MS / 1000} s; one of its patterns may go astray`
          : `${what}: ${(error as Error)?.message}`,
      )
    }
  }
}

/** The library makes lists as long as the highest id. */
function checkIds(json: object, refuse: Refuse): void {
  const { model, added_tokens: added } = json as { model?: { vocab?: unknown }; added_tokens?: unknown }
  const vocab = model?.vocab
  const ids = typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab) ? Object.entries(vocab) : []
  const tokens = Array.isArray(added) ? added.map((token) => [String(token?.content), token?.id] as const) : []
  for (const [piece, id] of [...ids, ...tokens]) {
    if (!isTokenId(id)) throw refuse(`the id of ${JSON.stringify(piece.slice(0, 40))} is no whole number from 0 to ${HIGHEST_ID}`)
  }
}

/** Every `{ "Regex": pattern }` in it. */
function patternsOf(json: object): unknown[] {
  const found: unknown[] = []
  const left: unknown[] = [json]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value !== 'object' || value === null) continue
    if ('Regex' in value) found.push(value.Regex)
    for (const child of Object.values(value)) left.push(child)
  }
  return found
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
