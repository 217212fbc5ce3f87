import { randomNumbers } from '../data/random.js'
import type { T5 } from '../model.js'
import type { SoftPrompt } from '../prompt.js'
import type { Nearest } from './cells.js'

const TOKENS = 5
/** Rows that are shown. */
const SHOWN = 10
/** Sets of tokens that chance is estimated by. */
const DRAWN = 2000

/** What a prompt's rows resemble: tokens that mean nearly the same often begin alike (technology, technologies), which can be counted. */
export async function nearestOf(t5: T5, prompt: SoftPrompt, labels: readonly string[], signal: AbortSignal): Promise<Nearest> {
  const { rows } = await t5.explain(prompt, { nearest: TOKENS, signal })
  const tokens = rows.map(({ nearest }) => nearest.map(({ token, id }) => token ?? String(id)))
  const ids = new Set(rows.flatMap(({ nearest }) => nearest.map(({ id }) => id)))
  const found = labels.filter((label) => piecesOf(t5, label).some((id) => ids.has(id)))
  return {
    rows: tokens.slice(0, SHOWN),
    ...{ alike: meanOf(tokens.map(shareAlike)), alikeByChance: meanOf(drawnTokens(t5).map(shareAlike)) },
    ...{ labels: labels.length, labelsFound: found.length },
  }
}

/** The share of pairs of a set that begin alike. */
export function shareAlike(tokens: readonly string[]): number {
  const starts = tokens.map(start)
  const pairs = starts.flatMap((one, i) => starts.slice(i + 1).map((other) => one !== '' && one === other))
  return meanOf(pairs.map(Number))
}

/** The first three letters; empty for what has fewer. */
function start(token: string): string {
  const letters = token.toLowerCase().replace(/[^\p{L}]/gu, '')
  return letters.length < 3 ? '' : letters.slice(0, 3)
}

/** The pieces of a label that have letters. */
function piecesOf({ tokenizer }: T5, label: string): number[] {
  const ids = tokenizer ? Array.from(tokenizer.encode(label)) : []
  return ids.filter((id) => start(tokenizer?.idToPiece(id) ?? '') !== '')
}

/** Sets of as many tokens, drawn from the vocabulary by a fixed seed. */
function drawnTokens({ tokenizer, config }: T5): string[][] {
  const random = randomNumbers(0)
  const draw = () => tokenizer?.idToPiece(Math.floor(random() * config.vocabSize)) ?? ''
  return Array.from({ length: DRAWN }, () => Array.from({ length: TOKENS }, draw))
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}
