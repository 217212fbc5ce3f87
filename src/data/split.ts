import { OptionError } from '../errors.js'
import { randomNumbers } from './random.js'
import type { DataSet } from './tokenize.js'

/** Draws `share` of the rows, at least one, for validation; by the seed alone, so that a resumed run gets the same. Both keep the rows' order. */
export function splitSet(set: DataSet, share: number, seed: number): { train: DataSet; validation: DataSet } {
  const rows = set.inputs.length
  const count = Math.max(1, Math.round(rows * share))
  if (count >= rows) {
    const what = `'validationSplit' ${share} of ${rows} row${rows === 1 ? '' : 's'} leaves nothing to train on`
    throw new OptionError('OPTION_INVALID', `Option ${what}. Give more rows, a smaller share, or 'validation'.`)
  }
  const drawn = new Set(shuffled(rows, seed).slice(0, count))
  const all = Array.from({ length: rows }, (_, row) => row)
  const part = (rows: number[]) => subset(set, rows)
  return { train: part(all.filter((row) => !drawn.has(row))), validation: part(all.filter((row) => drawn.has(row))) }
}

/** These rows of a set, in this order. */
export function subset(set: DataSet, rows: readonly number[]): DataSet {
  const at = (row: number) => rows[row] as number
  return {
    inputs: rows.map((row) => set.inputs[row]!),
    targets: rows.map((row) => set.targets[row]!),
    cutInputs: rows.map((row) => set.cutInputs[row]!),
    cutTargets: rows.map((row) => set.cutTargets[row]!),
    inputText: (row) => set.inputText(at(row)),
    targetText: (row) => set.targetText(at(row)),
    fields: (row) => set.fields(at(row)),
    describe: (row) => set.describe(at(row)),
  }
}

/** 0 to n - 1 in an order that depends on n and the seed (Fisher and Yates). */
function shuffled(n: number, seed: number): number[] {
  const random = randomNumbers(seed)
  const order = Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const kept = order[i] as number
    order[i] = order[j] as number
    order[j] = kept
  }
  return order
}
