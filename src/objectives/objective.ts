import { CounterRandom, Purpose } from '../random.js'
import { prefixLm } from './prefix-lm.js'
import { noiseOf, type Spans, spanCorruption, spansWindow } from './span-corruption.js'

/** What the encoder reads and the decoder is to say, as token ids. */
export interface Pair {
  /** For the encoder. */
  input: Int32Array
  target: Int32Array
}

/** How text becomes examples: to go on with its beginning, or to fill in what was taken out of it. */
export type ObjectiveName = 'prefix-lm' | 'span-corruption'

/** Which objectives windows of text become examples by, and how often each. */
export interface Mixture {
  /** In [0, 1]; the two sum to 1. */
  shares: Record<ObjectiveName, number>
  spans: Spans
  /** Ids of `<extra_id_0>`, `<extra_id_1>` ...; needed by span corruption. */
  sentinels: readonly number[]
  eosTokenId: number
  seed: number
}

/** The tokens of a window, such that inputs have at most `inputLength` with their `</s>`. */
export function windowTokens({ shares, spans }: Pick<Mixture, 'shares' | 'spans'>, inputLength: number): number {
  return shares['prefix-lm'] === 0 ? spansWindow(inputLength, spans).window : inputLength
}

/** The sentinels that windows of so many tokens need. */
export function sentinelsNeeded({ shares, spans }: Pick<Mixture, 'shares' | 'spans'>, window: number): number {
  return shares['span-corruption'] === 0 ? 0 : noiseOf(window, spans).spans
}

/** The example that window `index` is in `epoch`: a function of these two and the seed. A `</s>` ends its input and its target, as in T5's own tasks. */
export function makeExample(mixture: Mixture, window: Int32Array, epoch: number, index: number): Pair {
  const { seed, shares, sentinels, spans, eosTokenId } = mixture
  const random = new CounterRandom(seed, Purpose.objective, epoch * 2 ** 32 + index)
  // The objectives draw from the counters below.
  const name = random.uniform(2 ** 32) < shares['prefix-lm'] ? 'prefix-lm' : 'span-corruption'
  const { input, target } = name === 'prefix-lm' ? prefixLm(window, random) : spanCorruption(window, random, sentinels, spans)
  return { input: closed(input, eosTokenId), target: closed(target, eosTokenId) }
}

function closed(ids: Int32Array, eosTokenId: number): Int32Array {
  if (ids.at(-1) === eosTokenId) return ids
  const longer = new Int32Array(ids.length + 1)
  longer.set(ids)
  longer[ids.length] = eosTokenId
  return longer
}
