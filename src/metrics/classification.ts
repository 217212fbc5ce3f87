import { DataError } from '../errors.js'
import type { BuiltIn, Scored } from './metric.js'

/** The share of predictions that are their target, character for character. */
export const accuracy: BuiltIn = { compute: ({ predictions, targets }) => shareRight(predictions, targets) }

/** The share of predictions that are none of the labels. */
export const invalid: BuiltIn = {
  compute: ({ predictions, targets, labels }) => shareInvalid(labels ?? targets, predictions),
  higherIsBetter: false,
}

export function shareInvalid(labels: readonly string[], predictions: readonly string[]): number {
  const legal = new Set(labels)
  return predictions.filter((prediction) => !legal.has(prediction)).length / predictions.length
}

/**
 * The mean over the classes of F1 = 2 TP / (2 TP + FP + FN). The classes are the distinct targets; a prediction that is none of them counts against its
 * target's class alone.
 */
export const macroF1: BuiltIn = { compute: (scored) => macro(countsOf(scored)) }

/** F1 over the true and false positives and negatives of all classes together. Equal to accuracy unless a prediction is no class. */
export const microF1: BuiltIn = {
  compute: (scored) => {
    const all = { right: 0, predicted: 0, actual: 0 }
    for (const { right, predicted, actual } of countsOf(scored)) {
      all.right += right
      all.predicted += predicted
      all.actual += actual
    }
    return f1(all)
  },
}

/** The mean of F1 over the classes, each weighted by how often it is a target. */
export const weightedF1: BuiltIn = {
  compute: (scored) => countsOf(scored).reduce((sum, counts) => sum + f1(counts) * counts.actual, 0) / scored.targets.length,
}

/** F1 of the one class of two that counts as positive. A prediction that is neither counts as the wrong one of the two (as T5's evaluation has it). */
export const binaryF1: BuiltIn = {
  compute: (scored, argument) => f1Of(positiveClass(scored, argument, 'f1'), scored),
  check: (scored, argument) => {
    positiveClass(scored, argument, 'f1')
  },
  takesArgument: true,
}

/** Matthews' correlation coefficient, of any number of classes (Gorodkin 2004). A prediction that is no target is a class of its own. 0 where undefined. */
export const matthews: BuiltIn = {
  compute: ({ predictions, targets }) => {
    const predicted = countOf(predictions)
    const actual = countOf(targets)
    const rows = targets.length
    const right = shareRight(predictions, targets) * rows
    const together = [...actual].reduce((sum, [name, count]) => sum + count * (predicted.get(name) ?? 0), 0)
    const spread = (counts: Map<string, number>) => rows ** 2 - [...counts.values()].reduce((sum, count) => sum + count ** 2, 0)
    const scale = Math.sqrt(spread(predicted) * spread(actual))
    return scale === 0 ? 0 : (right * rows - together) / scale
  },
}

/** SuperGLUE's score of CommitmentBank: the mean of accuracy and macro F1. */
export const cb: BuiltIn = {
  compute: (scored) => {
    const parts = { accuracy: shareRight(scored.predictions, scored.targets), macroF1: macro(countsOf(scored)) }
    return { cb: (parts.accuracy + parts.macroF1) / 2, 'cb.accuracy': parts.accuracy, 'cb.macroF1': parts.macroF1 }
  },
}

interface Counts {
  right: number
  predicted: number
  actual: number
}

function f1({ right, predicted, actual }: Counts): number {
  return predicted + actual === 0 ? 0 : (2 * right) / (predicted + actual)
}

function macro(counts: readonly Counts[]): number {
  return counts.reduce((sum, each) => sum + f1(each), 0) / counts.length
}

/** Of each distinct target. */
function countsOf({ predictions, targets }: Pick<Scored, 'predictions' | 'targets'>): Counts[] {
  const predicted = countOf(predictions)
  const right = countOf(predictions.filter((prediction, row) => prediction === targets[row]))
  return [...countOf(targets)].map(([name, actual]) => ({ right: right.get(name) ?? 0, predicted: predicted.get(name) ?? 0, actual }))
}

/** F1 of the class `positive`; a prediction that is neither class is the wrong one. */
export function f1Of({ positive, negative }: Classes, { predictions, targets }: Pick<Scored, 'predictions' | 'targets'>): number {
  const legal = predictions.map((prediction, row) => {
    if (prediction === positive || prediction === negative) return prediction
    return targets[row] === positive ? negative : positive
  })
  const right = legal.filter((prediction, row) => prediction === positive && targets[row] === positive).length
  const count = (texts: readonly string[]) => texts.filter((text) => text === positive).length
  return f1({ right, predicted: count(legal), actual: count(targets) })
}

export interface Classes {
  positive: string
  negative: string
}

const POSITIVE = new Set(['yes', 'true', '1', 'positive'])

/**
 * Which class of two counts as positive: the one that was named, else 'yes', 'true', '1' or 'positive' among them, else x of the pair x and not_x.
 * Throws METRIC_UNFIT where that does not tell.
 */
export function positiveClass(
  { targets, labels, describe }: Omit<Scored, 'predictions'>,
  named: string | undefined,
  metric: string,
): Classes {
  const classes = [...new Set([...(labels ?? []), ...targets])]
  if (classes.length > 2) {
    const first = targets.findIndex((target) => target !== targets[0] && target !== classes[1])
    const where = first < 0 ? '' : `; the third is ${JSON.stringify(targets[first])} of ${describe(first)}`
    throw unfit(metric, `it is for two classes, but there are ${classes.length}${where}. Ask for macroF1, microF1 or weightedF1`)
  }
  const told = (name: string) =>
    name === named || (named === undefined && (POSITIVE.has(name.toLowerCase()) || classes.includes(`not_${name}`)))
  const positive = classes.filter(told)
  const [first] = positive
  if (positive.length !== 1 || first === undefined) {
    const names = classes.map((name) => JSON.stringify(name)).join(' and ')
    if (named !== undefined) throw unfit(`${metric}:${named}`, `${JSON.stringify(named)} is none of its classes, ${names}`)
    throw unfit(metric, `the classes are ${names} (${describe(0)} and on), and which is positive is not told. Write '${metric}:LABEL'`)
  }
  return { positive: first, negative: classes.find((name) => name !== first) ?? (first === '' ? ' ' : '') }
}

export function unfit(metric: string, what: string): DataError {
  return new DataError('DATA_METRIC_UNFIT', `The metric '${metric}' does not fit this data: ${what}.`)
}

function shareRight(predictions: readonly string[], targets: readonly string[]): number {
  return predictions.filter((prediction, row) => prediction === targets[row]).length / predictions.length
}

function countOf(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
