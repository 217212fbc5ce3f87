import { spellingOf, type TokenizerConfig } from './config.js'

/** A string that stands for one id wherever it occurs in text, and is split off before anything else sees the text. */
export interface SpecialToken {
  text: string
  id: number
  /** Whether `skipSpecial` leaves it out. */
  special: boolean
}

const DEFAULT_SENTINELS = 100

/**
 * The special tokens of a T5 as Hugging Face has them: `</s>`, `<pad>` and `<unk>` where they are pieces, what tokenizer_config.json adds, and the
 * sentinels `<extra_id_0>`, `<extra_id_1>` ... counted down from the top, so that `<extra_id_0>` is the last id of all.
 */
export function specialTokensOf(
  config: TokenizerConfig,
  pieceCount: number,
  pieceToId: (piece: string) => number | undefined,
): SpecialToken[] {
  const tokens = new Map<number, SpecialToken>()
  const add = (text: string, id: number | undefined, special = true) => {
    if (Number.isInteger(id) && id! >= 0) tokens.set(id!, { text, id: id!, special })
  }
  const sentinels = config.extra_ids ?? DEFAULT_SENTINELS
  for (let n = 0; n < sentinels; n++) add(`<extra_id_${n}>`, pieceCount + sentinels - 1 - n)
  for (const text of [spellingOf(config.pad_token, '<pad>'), spellingOf(config.eos_token, '</s>'), spellingOf(config.unk_token, '<unk>')]) {
    add(text, pieceToId(text))
  }
  for (const [id, token] of Object.entries(config.added_tokens_decoder ?? {})) add(token.content, Number(id), token.special ?? false)
  return [...tokens.values()]
}

/** Cuts text at special tokens: of two that start at the same place the longer is taken. */
export class SpecialTokenSplitter {
  private readonly idOf: Map<string, number>
  private readonly pattern: RegExp | null

  constructor(tokens: readonly SpecialToken[]) {
    this.idOf = new Map(tokens.filter((token) => token.text !== '').map((token) => [token.text, token.id]))
    const longestFirst = [...this.idOf.keys()].sort((a, b) => b.length - a.length)
    this.pattern = longestFirst.length > 0 ? new RegExp(`(${longestFirst.map(escapePattern).join('|')})`) : null
  }

  /** Text and ids in turn: `a</s>b` is `['a', 1, 'b']`. Empty text is left out. */
  split(text: string): (string | number)[] {
    if (!this.pattern) return text === '' ? [] : [text]
    const parts: (string | number)[] = []
    for (const [i, part] of text.split(this.pattern).entries()) {
      if (i % 2 === 1) parts.push(this.idOf.get(part)!)
      else if (part !== '') parts.push(part)
    }
    return parts
  }
}

const escapePattern = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
