import type { Metric } from './metric.js'

/** The share of predictions that are their target, character for character. */
export const accuracy: Metric = (predictions, targets) => share(predictions, (prediction, row) => prediction === targets[row])

/**
 * The share of predictions that are their target once both are in lower case and without punctuation, articles and extra white space: the exact match of
 * SQuAD (Rajpurkar et al. 2016).
 */
export const exactMatch: Metric = (predictions, targets) =>
  share(predictions, (prediction, row) => bare(prediction) === bare(targets[row]!))

/**
 * The mean over the classes of F1 = 2 TP / (2 TP + FP + FN). The classes are the distinct targets; a prediction that is none of them counts against its
 * target's class alone.
 */
export const macroF1: Metric = (predictions, targets) => {
  const classes = [...new Set(targets)]
  const predicted = countOf(predictions)
  const actual = countOf(targets)
  const right = countOf(predictions.filter((prediction, row) => prediction === targets[row]))
  const f1 = (name: string) => (2 * (right.get(name) ?? 0)) / ((predicted.get(name) ?? 0) + actual.get(name)!)
  return classes.reduce((sum, name) => sum + f1(name), 0) / classes.length
}

function share(predictions: readonly string[], isRight: (prediction: string, row: number) => boolean): number {
  return predictions.filter(isRight).length / predictions.length
}

function countOf(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

const PUNCTUATION = /[!-/:-@[-`{-~]/g
const ARTICLES = /\b(a|an|the)\b/g

function bare(text: string): string {
  return text.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' ').split(/\s+/).filter(Boolean).join(' ')
}
