import { TimeSlice } from '../time-slice.js'
import type { MetricRow, Scored } from './metric.js'

/** What stands between white space. */
export function words(text: string): string[] {
  return text.split(/\p{White_Space}+/u).filter((word) => word !== '')
}

/** How often each run of `size` words occurs. */
export function ngrams(tokens: readonly string[], size: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i + size <= tokens.length; i++) {
    const ngram = tokens.slice(i, i + size).join(' ')
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1)
  }
  return counts
}

/** The size of what two bags have in common. */
export function overlap(a: Map<string, number>, b: Map<string, number>): number {
  let shared = 0
  for (const [name, count] of a) shared += Math.min(count, b.get(name) ?? 0)
  return shared
}

/** Visits every row, and gives way to the event loop in between. */
export async function forRows({ predictions, targets, rows }: Scored, visit: (prediction: string, target: string, row: MetricRow) => void) {
  const slice = new TimeSlice()
  for (const [i, prediction] of predictions.entries()) {
    if (slice.spent) await slice.pause()
    visit(prediction, targets[i] as string, rows[i] as MetricRow)
  }
}

export async function meanOf(scored: Scored, score: (prediction: string, target: string, row: MetricRow) => number): Promise<number> {
  let sum = 0
  await forRows(scored, (...row) => {
    sum += score(...row)
  })
  return sum / scored.predictions.length
}
