import type { Scored } from '../metrics/index.js'

/** What the prompt of an evaluation got right and wrong. Survives JSON. */
export interface TuneOutcome {
  /** Rows evaluated. */
  examples: number
  /** Rows whose output is not the target, character for character. */
  wrong: number
  /** For a task with labels; null for free text. */
  confusion: Confusion | null
  /** At most 20 of the wrong rows, drawn evenly from all of them. */
  errors: WrongRow[]
}

/** Which labels were taken for which. */
export interface Confusion {
  /** Those of the rows and columns. */
  labels: string[]
  /** `counts[i][j]`: rows with the target `labels[i]` whose output is `labels[j]`. The last column, one more than there are labels, counts outputs that are none. */
  counts: number[][]
}

/** A row whose output is not its target. */
export interface WrongRow {
  /** Names the row: "dev.jsonl, line 3". */
  where: string
  /** Texts of more than 300 characters are cut. */
  input: string
  /** What it should have been. */
  target: string
  /** What it was. */
  prediction: string
}

const ERRORS = 20
const LONGEST = 300

export function outcomeOf({ predictions, targets, rows, labels, describe }: Scored): TuneOutcome {
  const wrong = targets.flatMap((target, row) => (predictions[row] === target ? [] : [row]))
  const errors = spread(wrong, ERRORS).map((row) => ({
    where: describe(row),
    input: short(rows[row]!.input),
    target: short(targets[row]!),
    prediction: short(predictions[row]!),
  }))
  return { examples: targets.length, wrong: wrong.length, confusion: labels ? confusionOf(labels, targets, predictions) : null, errors }
}

/** Every target is one of the labels. */
function confusionOf(labels: readonly string[], targets: readonly string[], predictions: readonly string[]): Confusion {
  const index = new Map(labels.map((label, i) => [label, i]))
  const counts = labels.map(() => new Array<number>(labels.length + 1).fill(0))
  targets.forEach((target, row) => {
    counts[index.get(target)!]![index.get(predictions[row]!) ?? labels.length]! += 1
  })
  return { labels: [...labels], counts }
}

/** `count` of the entries, the same distance apart, the first among them. */
function spread<T>(entries: readonly T[], count: number): T[] {
  if (entries.length <= count) return [...entries]
  return Array.from({ length: count }, (_, i) => entries[Math.floor((i * entries.length) / count)]!)
}

function short(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
