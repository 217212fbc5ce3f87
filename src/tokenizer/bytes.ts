import { spellingOf, type TokenizerConfig } from './config.js'
import { SpecialTokenSplitter } from './special-tokens.js'
import { type DecodeOptions, decodeAll, type EncodeOptions, type Ids, type StreamDecoder, type Tokenizer } from './tokenizer.js'

const utf8 = new TextEncoder()
const PAD = 0
const EOS = 1
const UNKNOWN = 2
/** The id of byte 0. */
const OFFSET = 3
const DEFAULT_SENTINELS = 125

/**
 * ByT5's tokenizer, which needs no file: the id of a byte of the text's UTF-8 is that byte plus 3; `<pad>`, `</s>` and `<unk>` come before, the sentinels
 * after (`<extra_id_0>` is 259, counted up). In text, white space beside the first three is theirs, as Hugging Face has it.
 */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly eosTokenId = EOS
  private readonly specials: Map<number, string>
  private readonly splitter: SpecialTokenSplitter

  constructor(config: TokenizerConfig = {}) {
    const named: [number, string][] = [
      [PAD, spellingOf(config.pad_token, '<pad>')],
      [EOS, spellingOf(config.eos_token, '</s>')],
      [UNKNOWN, spellingOf(config.unk_token, '<unk>')],
    ]
    const sentinels = config.extra_ids ?? DEFAULT_SENTINELS
    this.vocabSize = OFFSET + 256 + sentinels
    for (let n = 0; n < sentinels; n++) named.push([OFFSET + 256 + n, `<extra_id_${n}>`])
    this.specials = new Map(named)
    this.splitter = new SpecialTokenSplitter(named.map(([id, text]) => ({ id, text, special: true })))
  }

  encode(text: string, { maxTokens = Number.POSITIVE_INFINITY }: EncodeOptions = {}): Int32Array {
    const ids: number[] = []
    const parts = this.splitter.split(text)
    for (const [i, part] of parts.entries()) {
      if (ids.length >= maxTokens) break
      if (typeof part === 'number') ids.push(part)
      else for (const byte of utf8.encode(stripped(part, parts[i - 1], parts[i + 1]).slice(0, maxTokens))) ids.push(byte + OFFSET)
    }
    if (ids.length > maxTokens) ids.length = maxTokens
    return Int32Array.from(ids)
  }

  decode(ids: Ids, options: DecodeOptions = {}): string {
    return decodeAll(this.createStreamDecoder(options), ids)
  }

  createStreamDecoder({ skipSpecial = true }: DecodeOptions = {}): StreamDecoder {
    const characters = new CharacterDecoder()
    return {
      push: (id) => {
        const byte = byteOf(id)
        if (byte !== undefined) return characters.push(byte)
        const spelling = skipSpecial ? undefined : this.specials.get(id)
        if (spelling === undefined) return ''
        characters.reset()
        return spelling
      },
      flush: () => '',
    }
  }

  pieceToId(piece: string): number | undefined {
    const special = [...this.specials].find(([, text]) => text === piece)
    if (special) return special[0]
    const code = piece.length === 1 ? piece.charCodeAt(0) : 256
    return code < 256 ? code + OFFSET : undefined
  }

  /** A byte's piece is the character of its number, as Hugging Face spells it. */
  idToPiece(id: number): string | undefined {
    const byte = byteOf(id)
    return byte === undefined ? this.specials.get(id) : String.fromCharCode(byte)
  }
}

function byteOf(id: number): number | undefined {
  return id >= OFFSET && id < OFFSET + 256 ? id - OFFSET : undefined
}

type Part = string | number | undefined

function stripped(text: string, before: Part, after: Part): string {
  const strips = (part: Part) => typeof part === 'number' && part < OFFSET
  const left = strips(before) ? text.trimStart() : text
  return strips(after) ? left.trimEnd() : left
}

/**
 * UTF-8 to characters, a byte at a time; bytes that are part of no character give nothing, as with Python's errors='ignore', and those of an unfinished one
 * wait. The ranges are those of the Encoding Standard's decoder: no overlong form, no surrogate, nothing above U+10FFFF.
 */
class CharacterDecoder {
  private point = 0
  private missing = 0
  private low = 0x80
  private high = 0xbf

  push(byte: number): string {
    if (this.missing === 0) return this.start(byte)
    if (byte < this.low || byte > this.high) {
      this.reset()
      return this.start(byte)
    }
    this.low = 0x80
    this.high = 0xbf
    this.point = (this.point << 6) | (byte & 0x3f)
    this.missing--
    return this.missing === 0 ? String.fromCodePoint(this.point) : ''
  }

  reset(): void {
    this.missing = 0
    this.low = 0x80
    this.high = 0xbf
  }

  private start(byte: number): string {
    if (byte < 0x80) return String.fromCharCode(byte)
    if (byte < 0xc2 || byte > 0xf4) return ''
    this.missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    this.point = byte & (0x3f >> this.missing)
    if (byte === 0xe0) this.low = 0xa0
    if (byte === 0xed) this.high = 0x9f
    if (byte === 0xf0) this.low = 0x90
    if (byte === 0xf4) this.high = 0x8f
    return ''
  }
}
