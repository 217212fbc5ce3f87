import { CharMap } from './char-map.js'
import type { NormalizerSpec } from './model-file.js'
import type { Refuse } from './tokenizer.js'
import type { ByteTrie } from './trie.js'

const SPACE = 0x20
const ESCAPED_SPACE = [0xe2, 0x96, 0x81] // U+2581
// Up to this size the output's memory is kept for the next text.
const KEPT_BYTES = 1 << 20

export interface NormalizerOptions {
  spec: NormalizerSpec
  whitespaceAsSuffix: boolean
  /** Pieces that pass through untouched, or null. */
  userDefined: ByteTrie | null
}

/** SentencePiece's Normalizer::Normalize over UTF-8 bytes: character rules, white space, the dummy prefix. */
export class Normalizer {
  private readonly map: CharMap
  private readonly space: readonly number[]
  private output = new Uint8Array(1 << 12)
  private length = 0

  constructor(
    private readonly options: NormalizerOptions,
    refuse: Refuse,
  ) {
    this.map = new CharMap(options.spec.precompiledCharsMap, refuse)
    this.space = options.spec.escapeWhitespaces ? ESCAPED_SPACE : [SPACE]
  }

  /** `bytes[0 .. end)` is valid UTF-8. The answer is a view that the next call overwrites. */
  normalize(bytes: Uint8Array, end: number): Uint8Array {
    const { spec, whitespaceAsSuffix } = this.options
    this.length = 0
    if (this.output.length > KEPT_BYTES) this.output = new Uint8Array(1 << 12)
    const start = spec.removeExtraWhitespaces ? this.skipSpaces(bytes, end) : 0
    if (start === end) return this.output.subarray(0, 0)
    if (spec.addDummyPrefix && !whitespaceAsSuffix) this.appendSpace()
    this.appendAll(bytes, start, end)
    if (spec.removeExtraWhitespaces) this.dropTrailingSpaces()
    if (spec.addDummyPrefix && whitespaceAsSuffix) this.appendSpace()
    return this.output.subarray(0, this.length)
  }

  private skipSpaces(bytes: Uint8Array, end: number): number {
    let at = 0
    while (at < end) {
      const { source, from, to, consumed } = this.nextPrefix(bytes, at, end)
      if (to - from !== 1 || source[from] !== SPACE) break
      at += consumed
    }
    return at
  }

  private appendAll(bytes: Uint8Array, start: number, end: number): void {
    const { removeExtraWhitespaces } = this.options.spec
    let afterSpace = removeExtraWhitespaces
    for (let at = start; at < end; ) {
      const prefix = this.nextPrefix(bytes, at, end)
      const { source, to } = prefix
      let { from } = prefix
      while (afterSpace && from < to && source[from] === SPACE) from++
      if (from < to) {
        this.append(source, from, to)
        afterSpace = removeExtraWhitespaces && source[to - 1] === SPACE
      }
      at += prefix.consumed
    }
  }

  // One object for all calls: what `consumed` bytes of the input turn into is source[from .. to).
  private readonly prefix = { source: new Uint8Array() as Uint8Array, from: 0, to: 0, consumed: 0 }

  private nextPrefix(bytes: Uint8Array, at: number, end: number) {
    const { prefix, map } = this
    const kept = this.options.userDefined?.longestPrefix(bytes, at, end) ?? 0
    const rule = kept > 0 ? -1 : map.match(bytes, at, end)
    if (rule >= 0) {
      prefix.source = map.replacements
      prefix.from = rule
      prefix.to = map.replacements.indexOf(0, rule)
      prefix.consumed = map.matchLength
    } else {
      prefix.source = bytes
      prefix.from = at
      prefix.consumed = kept || characterLength(bytes[at]!)
      prefix.to = at + prefix.consumed
    }
    return prefix
  }

  private append(source: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const byte = source[i]!
      if (byte === SPACE) {
        this.appendSpace()
      } else {
        if (this.length === this.output.length) this.grow()
        this.output[this.length++] = byte
      }
    }
  }

  private appendSpace(): void {
    for (const byte of this.space) {
      if (this.length === this.output.length) this.grow()
      this.output[this.length++] = byte
    }
  }

  private grow(): void {
    const larger = new Uint8Array(2 * this.output.length)
    larger.set(this.output)
    this.output = larger
  }

  private dropTrailingSpaces(): void {
    const { space, output } = this
    const endsWithSpace = () => space.every((byte, i) => output[this.length - space.length + i] === byte)
    while (this.length >= space.length && endsWithSpace()) this.length -= space.length
  }
}

/** Bytes of the UTF-8 character that starts with this byte. */
export function characterLength(lead: number): number {
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}
