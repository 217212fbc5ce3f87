import type { Refuse } from './tokenizer.js'

type Spelling = string | { content: string } | null

/** The parts of tokenizer_config.json that matter here. */
export interface TokenizerConfig {
  tokenizer_class?: string
  extra_ids?: number | null
  eos_token?: Spelling
  pad_token?: Spelling
  unk_token?: Spelling
  added_tokens_decoder?: Record<string, { content: string; special?: boolean }> | null
}

// A hundred sentinels are usual, and no vocabulary has as many pieces.
const MOST_SENTINELS = 65_536
const MOST_ADDED = 65_536
/** Several times the largest vocabulary; lists of ids stay small. */
export const HIGHEST_ID = 1 << 24

export const isTokenId = (value: unknown): value is number => isCount(value, HIGHEST_ID)

/** `config.eos_token` and its like are a string or an object around one. */
export function spellingOf(token: Spelling | undefined, fallback: string): string {
  return (typeof token === 'object' ? token?.content : token) ?? fallback
}

/** Gives `json` back where every part that is used has the right type; throws what `refuse` makes of the first that has not. */
export function checkTokenizerConfig(json: object, refuse: Refuse): TokenizerConfig {
  const config = json as Record<string, unknown>
  const { extra_ids: sentinels, tokenizer_class: name } = config
  if (!isAbsent(name) && typeof name !== 'string') throw refuse('tokenizer_class is not a string')
  if (!isAbsent(sentinels) && !isCount(sentinels, MOST_SENTINELS))
    throw refuse(`extra_ids is not a whole number from 0 to ${MOST_SENTINELS}`)
  for (const key of ['eos_token', 'pad_token', 'unk_token']) {
    if (!isAbsent(config[key]) && !isSpelling(config[key])) throw refuse(`${key} is neither a string nor an object with a string 'content'`)
  }
  if (!isAbsent(config.added_tokens_decoder)) checkAdded(config.added_tokens_decoder, refuse)
  return config as TokenizerConfig
}

function checkAdded(added: unknown, refuse: Refuse): void {
  if (!isObject(added)) throw refuse('added_tokens_decoder is not an object')
  const entries = Object.entries(added)
  if (entries.length > MOST_ADDED) throw refuse(`added_tokens_decoder has ${entries.length} entries, and at most ${MOST_ADDED} are read`)
  for (const [id, token] of entries) {
    const named = `added_tokens_decoder[${JSON.stringify(id.slice(0, 40))}]`
    if (!/^\d+$/.test(id) || !isTokenId(Number(id))) throw refuse(`${named} is no token id`)
    if (!isObject(token) || typeof token.content !== 'string') throw refuse(`${named} has no string 'content'`)
    if (!isAbsent(token.special) && typeof token.special !== 'boolean') throw refuse(`${named}.special is neither true nor false`)
  }
}

const isAbsent = (value: unknown) => value === undefined || value === null
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown, most: number) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most
const isSpelling = (value: unknown) => typeof value === 'string' || (isObject(value) && typeof value.content === 'string')
