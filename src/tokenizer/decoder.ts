import { decodeUtf8 } from '../utf8.js'
import { PieceType, type SentencePieceModel } from './model-file.js'
import { characterLength } from './normalizer.js'
import type { StreamDecoder } from './tokenizer.js'

/** What an id stands for in text, worked out once for all decoders of a tokenizer. */
export type Surface = { kind: 'text' | 'special' | 'unknown'; text: string } | { kind: 'byte'; byte: number }

/** The surfaces of the model's pieces; those of `special` ids (control pieces, sentinels) are their spelling. */
export function surfacesOf(model: SentencePieceModel): Surface[] {
  return model.pieces.map((piece): Surface => {
    if (piece.type === PieceType.control) return { kind: 'special', text: piece.text }
    if (piece.type === PieceType.unknown) return { kind: 'unknown', text: model.unknownSurface }
    if (piece.type === PieceType.byte) return { kind: 'byte', byte: Number.parseInt(piece.text.slice(3, 5), 16) }
    return { kind: 'text', text: piece.text.replaceAll('\u2581', ' ') }
  })
}

export interface DecoderOptions {
  surfaces: readonly (Surface | undefined)[]
  skipSpecial: boolean
  /** Whether white space at the start of the text is dropped: all of it, the first one, or none. */
  leadingSpaces: 'all' | 'one' | 'none'
}

/** SentencePieceProcessor::Decode, one id at a time. */
export class PieceDecoder implements StreamDecoder {
  private atStart = true
  private readonly bytes: number[] = []

  constructor(private readonly options: DecoderOptions) {}

  push(id: number): string {
    const surface = this.options.surfaces[id]
    if (surface?.kind === 'byte') {
      this.bytes.push(surface.byte)
      return this.started(this.takeCharacters(false))
    }
    return this.started(this.takeCharacters(true)) + this.started(this.textOf(surface))
  }

  flush(): string {
    return this.started(this.takeCharacters(true))
  }

  private textOf(surface: Exclude<Surface, { kind: 'byte' }> | undefined): string {
    if (!surface) return ''
    if (surface.kind === 'special') return this.options.skipSpecial ? '' : surface.text
    if (surface.kind === 'unknown' || !this.atStart) return surface.text
    const { leadingSpaces } = this.options
    if (leadingSpaces === 'none' || !surface.text.startsWith(' ')) return surface.text
    if (leadingSpaces === 'one') this.atStart = false
    return surface.text.slice(1)
  }

  private started(text: string): string {
    if (text !== '') this.atStart = false
    return text
  }

  /** The characters whose bytes are all there. A byte that fits nowhere reads as U+FFFD; with `all`, so do those of an unfinished character. */
  private takeCharacters(all: boolean): string {
    let text = ''
    while (this.bytes.length > 0) {
      const character = firstCharacter(this.bytes)
      if (character === 'unfinished' && !all) break
      const whole = typeof character === 'object'
      text += whole ? character.text : '\ufffd'
      this.bytes.splice(0, whole ? character.width : 1)
    }
    return text
  }
}

function firstCharacter(bytes: readonly number[]): { text: string; width: number } | 'unfinished' | 'invalid' {
  const width = characterLength(bytes[0]!)
  const isTrail = (byte: number) => byte >= 0x80 && byte < 0xc0
  if (!bytes.slice(1, width).every(isTrail)) return 'invalid'
  if (bytes.length < width) return 'unfinished'
  try {
    return { text: decodeUtf8(Uint8Array.from(bytes.slice(0, width))), width }
  } catch {
    return 'invalid'
  }
}
