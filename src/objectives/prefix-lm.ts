import type { CounterRandom } from '../random.js'
import type { Pair } from './objective.js'

/**
 * The language model's objective (Raffel et al. 2020, section 3.2.3; Lester et al. 2021 adapt by it): a window is split at a place that is uniform in
 * [1, length - 1]; what is before it goes to the encoder, the rest is the target.
 *
 * @param window at least 2 tokens
 */
export function prefixLm(window: Int32Array, random: CounterRandom): Pair {
  const split = 1 + random.below(window.length - 1, 0)
  return { input: window.slice(0, split), target: window.slice(split) }
}
