import type { CounterRandom } from '../random.js'
import type { Pair } from './objective.js'

export interface Spans {
  /** Share of the tokens that are noise. */
  noiseDensity: number
  /** Mean tokens of a noise span. */
  meanSpanLength: number
}

/** As T5 was trained. */
export const T5_SPANS: Readonly<Spans> = { noiseDensity: 0.15, meanSpanLength: 3 }

/**
 * Span corruption (Raffel et al. 2020, section 3.1.4): each noise span is replaced by a sentinel of its own in the input; the target is the sentinels, each
 * followed by what it stands for.
 *
 * @param sentinels ids, the first for the first span; at least as many as `noiseOf(window.length).spans`
 */
export function spanCorruption(window: Int32Array, random: CounterRandom, sentinels: readonly number[], spans: Spans = T5_SPANS): Pair {
  const mask = noiseMask(window.length, random, spans)
  const input: number[] = []
  const target: number[] = []
  let span = -1
  for (const [i, token] of window.entries()) {
    if (!mask[i]) input.push(token)
    else {
      if (i === 0 || !mask[i - 1]) {
        span += 1
        input.push(sentinels[span] as number)
        target.push(sentinels[span] as number)
      }
      target.push(token)
    }
  }
  return { input: Int32Array.from(input), target: Int32Array.from(target) }
}

/** How many of `length` tokens are noise, in how many spans: T5's numbers, which do not depend on chance. */
export function noiseOf(length: number, { noiseDensity, meanSpanLength }: Spans): { tokens: number; spans: number } {
  const tokens = Math.min(Math.max(roundHalfEven(length * noiseDensity), 1), length - 1)
  const spans = Math.max(roundHalfEven(tokens / meanSpanLength), 1)
  // Each span follows a token that is none: T5's density of 0.15 never comes near this bound.
  return { tokens, spans: Math.min(spans, length - tokens) }
}

/**
 * Which tokens are noise (T5's `random_spans_noise_mask`): noise and the rest are each cut into as many segments, all ways of cutting being equally likely, and
 * the segments stand in turn, one that is not noise first.
 *
 * @param length at least 2
 */
export function noiseMask(length: number, random: CounterRandom, spans: Spans): Uint8Array {
  const noise = noiseOf(length, spans)
  const noiseLengths = segments(noise.tokens, noise.spans, random, 0)
  const otherLengths = segments(length - noise.tokens, noise.spans, random, noise.tokens)
  const mask = new Uint8Array(length)
  let end = 0
  for (const [i, others] of otherLengths.entries()) {
    const begin = end + others
    end = begin + (noiseLengths[i] as number)
    mask.fill(1, begin, end)
  }
  return mask
}

/** `items` cut into `count` parts, none of them empty: `count - 1` of the `items - 1` places between are drawn. Takes `items` random numbers from `first` on. */
function segments(items: number, count: number, random: CounterRandom, first: number): number[] {
  const places = random.permutation(items - 1, first).subarray(0, count - 1)
  const ends = [...places.map((place) => place + 1).sort(), items]
  return ends.map((end, i) => end - (i === 0 ? 0 : (ends[i - 1] as number)))
}

/**
 * The most tokens of a window whose corrupted input, with its sentinels and `</s>`, has at most `inputLength` tokens (T5's `random_spans_helper`: 568 for 512);
 * and how many its target then has (114).
 */
export function spansWindow(inputLength: number, spans: Spans): { window: number; targetLength: number } {
  const lengths = (window: number) => {
    const noise = noiseOf(window, spans)
    return { input: window - noise.tokens + noise.spans + 1, target: noise.tokens + noise.spans + 1 }
  }
  let window = 2
  while (lengths(window + 1).input <= inputLength) window += 1
  return { window, targetLength: lengths(window).target }
}

/** As T5's code rounds: 2.5 to 2, 3.5 to 4. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}
