import { type Classes, f1Of, positiveClass, unfit } from './classification.js'
import type { BuiltIn, MetricRow, Scored } from './metric.js'
import { meanOf, words } from './text.js'

/**
 * The share of predictions that are a right answer once both are in lower case and without punctuation, articles and extra white space: the exact match of
 * SQuAD (Rajpurkar et al. 2016). A row's right answers are its field `answers`, where it has one, else its target.
 */
export const exactMatch: BuiltIn = { compute: (scored) => meanOver(scored, (given, right) => Number(given.join(' ') === right.join(' '))) }

/** SQuAD's F1: of the words that a prediction shares with the right answer most like it, the mean over the rows. */
export const tokenF1: BuiltIn = { compute: (scored) => meanOver(scored, wordF1) }

/**
 * SuperGLUE's score of MultiRC: the mean of F1 over all answers and of the share of questions whose answers were all judged right. A row is one answer of the
 * question that its field `group` names.
 */
export const multirc: BuiltIn = {
  compute: (scored, argument) => {
    const f1a = f1Of(classesOf(scored, argument), scored)
    const groups = new Map<unknown, boolean>()
    scored.rows.forEach((row, i) => {
      const group = groupOf(row)
      groups.set(group, (groups.get(group) ?? true) && scored.predictions[i] === scored.targets[i])
    })
    const em = [...groups.values()].filter(Boolean).length / groups.size
    return { multirc: (f1a + em) / 2, 'multirc.f1a': f1a, 'multirc.exactMatch': em }
  },
  check: (scored, argument) => {
    checkGroups(scored, 'multirc')
    classesOf(scored, argument)
  },
  takesArgument: true,
}

/**
 * SuperGLUE's score of ReCoRD: the mean of SQuAD's exact match and F1 over the questions, each against its right answers (`answers`). Of the rows of one
 * question (`group`) the first counts.
 */
export const record: BuiltIn = {
  compute: async ({ rows, ...scored }) => {
    const first = new Map(rows.map((row, i) => [groupOf(row), i] as const).reverse())
    const kept = [...first.values()].sort((a, b) => a - b)
    const pick = <T>(values: readonly T[]) => kept.map((i) => values[i] as T)
    const questions = { ...scored, rows: pick(rows), predictions: pick(scored.predictions), targets: pick(scored.targets) }
    const em = await meanOver(questions, (given, right) => Number(given.join(' ') === right.join(' ')))
    const f1 = await meanOver(questions, wordF1)
    return { record: (em + f1) / 2, 'record.exactMatch': em, 'record.f1': f1 }
  },
  check: (scored) => checkGroups(scored, 'record'),
}

function classesOf(scored: Omit<Scored, 'predictions'>, argument: string | undefined): Classes {
  return positiveClass(scored, argument, 'multirc')
}

/** Numbers and words alike, and a list as what it holds: SuperGLUE's `idx` is an object. */
function groupOf({ group }: MetricRow): unknown {
  return typeof group === 'object' ? JSON.stringify(group) : String(group)
}

function checkGroups({ rows, describe }: Pick<Scored, 'rows' | 'describe'>, metric: string): void {
  const without = rows.findIndex(({ group }) => group === undefined || group === null)
  if (without >= 0) throw unfit(metric, `${describe(without)} has no field "group" that names its question`)
}

/** The mean over the rows of the score of the right answer that scores best. */
function meanOver(scored: Scored, score: (given: string[], right: string[]) => number): Promise<number> {
  return meanOf(scored, (prediction, target, row) => {
    const given = normalised(prediction)
    return Math.max(...answersOf(row, target).map((right) => score(given, normalised(right))))
  })
}

function answersOf({ answers }: MetricRow, target: string): string[] {
  const texts = Array.isArray(answers) ? answers.filter((answer) => typeof answer === 'string') : []
  return texts.length > 0 ? texts : [target]
}

function wordF1(given: string[], right: string[]): number {
  const left = new Map<string, number>()
  for (const word of right) left.set(word, (left.get(word) ?? 0) + 1)
  let shared = 0
  for (const word of given) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    left.set(word, count - 1)
    shared += 1
  }
  return shared === 0 ? 0 : (2 * shared) / (given.length + right.length)
}

const PUNCTUATION = /[!-/:-@[-`{-~]/g
const ARTICLES = /(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu

function normalised(text: string): string[] {
  return words(text.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' '))
}
