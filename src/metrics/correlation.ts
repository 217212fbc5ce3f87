import { show } from '../options/check.js'
import { unfit } from './classification.js'
import type { BuiltIn, Scored } from './metric.js'

/** Pearson's correlation of two lists of numbers. 0 where the predictions are all the same. */
export const pearson: BuiltIn = {
  compute: (scored) => correlation(...numbersOf(scored)),
  check: (scored) => checkNumbers(scored, 'pearson'),
}

/** Spearman's: Pearson's of the ranks, equal numbers sharing the mean of theirs. */
export const spearman: BuiltIn = {
  compute: (scored) => {
    const [predictions, targets] = numbersOf(scored)
    return correlation(ranks(predictions), ranks(targets))
  },
  check: (scored) => checkNumbers(scored, 'spearman'),
}

/** What an output that is no number counts as: T5's own evaluation does so. */
const NO_NUMBER = -1

function numbersOf({ predictions, targets }: Scored): [number[], number[]] {
  return [predictions.map((text) => numberOf(text) ?? NO_NUMBER), targets.map((text) => numberOf(text) as number)]
}

function numberOf(text: string): number | undefined {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) ? number : undefined
}

function checkNumbers({ targets, describe }: Omit<Scored, 'predictions'>, metric: string): void {
  const wrong = targets.findIndex((target) => numberOf(target) === undefined)
  if (wrong >= 0) throw unfit(metric, `it needs numbers, but the target of ${describe(wrong)} is ${show(targets[wrong])}`)
  const [first] = targets
  if (targets.every((target) => numberOf(target) === numberOf(first as string)))
    throw unfit(metric, `it needs targets that differ, but from ${describe(0)} on all are ${show(first)}`)
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [centred(a), centred(b)]
  const scale = Math.sqrt(dot(x, x)) * Math.sqrt(dot(y, y))
  return scale === 0 ? 0 : Math.max(-1, Math.min(1, dot(x, y) / scale))
}

function centred(values: readonly number[]): number[] {
  if (values.every((value) => value === values[0])) return values.map(() => 0)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.map((value) => value - mean)
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0)
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number))
  const ranks = new Array<number>(values.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end] as number] === values[order[start] as number]) end += 1
    for (let i = start; i < end; i++) ranks[order[i] as number] = (start + end + 1) / 2
    start = end
  }
  return ranks
}
