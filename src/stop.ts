import type { StreamDecoder, Tokenizer } from './tokenizer/tokenizer.js'

/** Where the first of the `stops` begins in `text`; -1 if none is there. */
export function firstStop(text: string, stops: readonly string[]): number {
  const found = stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0)
  return found.length > 0 ? Math.min(...found) : -1
}

/** How many of the last characters of `text` may yet become a stop text, and are held back from a stream. */
export function heldBack(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1))
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const tail = text.slice(text.length - length)
    if (stops.some((stop) => stop.startsWith(tail))) return length
  }
  return 0
}

/** Reads an output token by token until a stop text is in it. */
export class StopWatch {
  readonly #decoder: StreamDecoder
  readonly #stops: readonly string[]
  readonly #longest: number
  #tail = ''
  #isFound = false

  constructor(tokenizer: Tokenizer, stops: readonly string[]) {
    this.#decoder = tokenizer.createStreamDecoder()
    this.#stops = stops
    this.#longest = Math.max(...stops.map((stop) => stop.length))
  }

  /** True with the token that completes a stop text, once. */
  sees(token: number): boolean {
    if (this.#isFound) return false
    const text = this.#tail + this.#decoder.push(token)
    this.#isFound = firstStop(text, this.#stops) >= 0
    this.#tail = text.slice(Math.max(0, text.length - this.#longest))
    return this.#isFound
  }
}

/**
 * The shortest beginning of `tokens` whose text holds a stop text, and that text up to it; undefined if none ever comes.
 */
export function stopAt(
  tokenizer: Tokenizer,
  tokens: Int32Array,
  stops: readonly string[],
): { text: string; tokens: Int32Array } | undefined {
  if (firstStop(tokenizer.decode(tokens), stops) < 0) return undefined
  for (let length = 1; length <= tokens.length; length++) {
    const kept = tokens.slice(0, length)
    const text = tokenizer.decode(kept)
    const end = firstStop(text, stops)
    if (end >= 0) return { text: text.slice(0, end), tokens: kept }
  }
  return undefined
}
