import type { DataWarning } from '../dataset.js'
import { percent } from '../format.js'
import type { ObjectiveName } from '../objectives/objective.js'
import type { TextCounts } from './windows.js'

/** What a text is like. */
export interface TextPart extends TextCounts {
  /** Of `windowTokens` tokens; null for text that is read as it comes, whose other numbers are those of what was read. */
  windows: number | null
}

/** What a model is adapted to; survives JSON. */
export interface TextSummary {
  /** How often windows become examples by each objective. */
  objective: Record<ObjectiveName, number>
  /** Tokens of the longest input. */
  windowLength: number
  /** Tokens of text that an example is made of. */
  windowTokens: number
  /** What is learned from. */
  train: TextPart
  /** What is measured on; null for none. */
  validation: TextPart | null
  /** Empty where nothing is odd. */
  warnings: (Omit<DataWarning, 'code'> & {
    /** Stable. Characters that the tokenizer does not know. */
    code: 'unknownTokens'
  })[]
}

/** More unknown tokens than this are worth a word. */
const UNKNOWN = 0.02

export function textWarnings({ tokens, unknownTokens }: TextCounts): TextSummary['warnings'] {
  if (unknownTokens <= UNKNOWN * tokens) return []
  const message = `${percent(unknownTokens / tokens)} of the text's tokens stand for characters that the tokenizer does not know.`
  return [{ code: 'unknownTokens', count: unknownTokens, message }]
}
