import { mean, spread } from '../statistics.js'
import type { Bar } from './finding.js'

/** A share of 1 as points of 100: 12.3. */
export const points = (share: number) => (100 * share).toFixed(1)

/** The mean of scores and, of several, their standard deviation: 81.2 ± 1.4. */
export function scoreText(values: readonly number[]): string {
  return values.length < 2 ? points(mean(values)) : `${points(mean(values))} ± ${points(spread(values))}`
}

export const barOf = (values: readonly number[]): Bar => ({ mean: mean(values), spread: spread(values) })

/** a, b and c */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
