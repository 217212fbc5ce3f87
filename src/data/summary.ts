import type { DataSet } from './tokenize.js'

/** Token counts over the rows. */
export interface Lengths {
  /** Of the shortest row. */
  min: number
  /** Over all rows. */
  mean: number
  /** 95 of 100 rows have no more. */
  p95: number
  /** Of the longest row. */
  max: number
}

/** What one set of examples is like. */
export interface SetSummary {
  /** Rows. */
  examples: number
  /** As the model reads them: cut, `</s>` included. */
  inputTokens: Lengths
  /** Likewise. */
  targetTokens: Lengths
  /** Rows whose input (target) was longer than allowed, and cut. */
  cutInputs: number
  /** See `cutInputs`. */
  cutTargets: number
  /** Rows that have both the input and the target of an earlier row. */
  duplicates: number
  /** How often each target occurs, the commonest first; null for free text. */
  labels: Record<string, number> | null
}

/** Something about the data that a person should look at; the run goes on. */
export interface DataWarning {
  /**
   * Stable. One row alone; one target alone; inputs or targets that were cut; an input that has another label in an earlier row; validation inputs that are in the
   * training set too; validation targets that no training row has.
   */
  code: 'oneRow' | 'oneLabel' | 'cutInputs' | 'cutTargets' | 'conflicts' | 'duplicates' | 'labelNotTrained'
  /** The rows concerned. */
  count: number
  /** For a person: what was seen, and what to do. */
  message: string
}

/** What a run's data is like; survives JSON. */
export interface DataSummary {
  /** What is learned from. */
  train: SetSummary
  /** What is measured on; null for none. */
  validation: SetSummary | null
  /** Empty where nothing is odd. */
  warnings: DataWarning[]
}

/** A set whose targets are so few has labels. */
export const MOST_LABELS = 256

/** `textOf` gives a target's ids as text. */
export function summarise(train: DataSet, validation: DataSet | undefined, textOf: (ids: Int32Array) => string): DataSummary {
  const summary = { train: summaryOf(train, textOf), validation: validation ? summaryOf(validation, textOf) : null }
  const warnings = [
    ...warningsOf('training', train, summary.train),
    ...(validation && summary.validation ? warningsOf('validation', validation, summary.validation) : []),
    ...(validation ? [duplicates(train, validation), ...notTrained(summary.train, summary.validation)] : []),
  ]
  return { ...summary, warnings: warnings.filter((warning) => warning !== undefined) }
}

function summaryOf(set: DataSet, textOf: (ids: Int32Array) => string): SetSummary {
  return {
    examples: set.inputs.length,
    inputTokens: lengths(set.inputs),
    targetTokens: lengths(set.targets),
    cutInputs: set.cutInputs.filter(Boolean).length,
    cutTargets: set.cutTargets.filter(Boolean).length,
    duplicates: set.inputs.length - new Set(set.inputs.map((input, row) => `${input.length}:${key(input)}${key(set.targets[row]!)}`)).size,
    labels: labelsOf(set, textOf),
  }
}

function lengths(rows: readonly Int32Array[]): Lengths {
  const sorted = Float64Array.from(rows, (row) => row.length).sort()
  const mean = sorted.reduce((sum, length) => sum + length, 0) / sorted.length
  return { min: sorted[0]!, mean, p95: sorted[Math.ceil(0.95 * sorted.length) - 1]!, max: sorted.at(-1)! }
}

function labelsOf({ targets }: DataSet, textOf: (ids: Int32Array) => string): Record<string, number> | null {
  const counts = new Map<string, { ids: Int32Array; count: number }>()
  for (const ids of targets) {
    const known = counts.get(key(ids))
    if (known) known.count += 1
    else counts.set(key(ids), { ids, count: 1 })
    if (counts.size > MOST_LABELS) return null
  }
  if (targets.length > 1 && counts.size > Math.max(2, targets.length / 2)) return null
  const sorted = [...counts.values()].sort((a, b) => b.count - a.count)
  return Object.fromEntries(sorted.map(({ ids, count }) => [textOf(ids), count]))
}

function warningsOf(name: string, set: DataSet, summary: SetSummary): (DataWarning | undefined)[] {
  const { examples, labels } = summary
  const names = Object.keys(labels ?? {})
  return [
    examples === 1 ? { code: 'oneRow', count: 1, message: `The ${name} set is a single row.` } : undefined,
    examples > 1 && names.length === 1
      ? { code: 'oneLabel', count: examples, message: `All ${examples} targets of the ${name} set are ${JSON.stringify(names[0])}.` }
      : undefined,
    ...cutWarnings(name, set, name === 'training' ? 'the prompt learns to stop there' : 'outputs are compared with what is left'),
    labels ? conflicts(name, set) : undefined,
  ]
}

/** Of a set called `name`; `effect` says what comes of targets that were cut. */
export function cutWarnings(name: string, set: DataSet, effect: string): DataWarning[] {
  const warning = (code: 'cutTargets' | 'cutInputs', rows: readonly Int32Array[], option: string, end: string): DataWarning[] => {
    const count = set[code].filter(Boolean).length
    if (count === 0) return []
    const first = set[code].indexOf(true)
    const what = `${count} of ${rows.length} ${name} ${code === 'cutTargets' ? 'targets' : 'inputs'} are longer than ${option} (${rows[first]!.length})`
    return [{ code, count, message: `${what} and were cut, the first in ${set.describe(first)}${end}.` }]
  }
  return [
    ...warning('cutTargets', set.targets, 'maxTargetLength', `: ${effect}`),
    ...warning('cutInputs', set.inputs, 'maxInputLength', ''),
  ]
}

/** Rows with the input of an earlier row and another label. */
function conflicts(name: string, set: DataSet): DataWarning | undefined {
  const first = firstRows(set.inputs)
  const rows = set.inputs.flatMap((input, row) => (key(set.targets[first.get(key(input))!]!) === key(set.targets[row]!) ? [] : [row]))
  const [row] = rows
  if (row === undefined) return undefined
  const earlier = set.describe(first.get(key(set.inputs[row]!))!)
  const message = `${rows.length} of ${set.inputs.length} ${name} rows have the input of an earlier row but another label, the first being ${set.describe(row)} (after ${earlier}).`
  return { code: 'conflicts', count: rows.length, message }
}

function firstRows(inputs: readonly Int32Array[]): Map<string, number> {
  const first = new Map<string, number>()
  inputs.forEach((input, row) => {
    if (!first.has(key(input))) first.set(key(input), row)
  })
  return first
}

function duplicates(train: DataSet, validation: DataSet): DataWarning | undefined {
  const known = firstRows(train.inputs)
  const twice = validation.inputs.flatMap((input, row) => (known.has(key(input)) ? [row] : []))
  const [first] = twice
  if (first === undefined) return undefined
  const also = train.describe(known.get(key(validation.inputs[first]!))!)
  const example = `${validation.describe(first)} has the input of ${also}`
  const message = `${twice.length} of ${validation.inputs.length} validation inputs are in the training set too (${example}): the metrics flatter the prompt.`
  return { code: 'duplicates', count: twice.length, message }
}

function notTrained(train: SetSummary, validation: SetSummary | null): DataWarning[] {
  if (!train.labels || !validation?.labels) return []
  const missing = Object.keys(validation.labels).filter((label) => !Object.hasOwn(train.labels!, label))
  if (missing.length === 0) return []
  const count = missing.reduce((sum, label) => sum + validation.labels![label]!, 0)
  const names = missing.slice(0, 5).map((label) => JSON.stringify(label))
  return [
    { code: 'labelNotTrained', count, message: `${count} validation rows have targets that no training row has: ${names.join(', ')}.` },
  ]
}

/** The ids' bytes as a string: cheap to make and to compare. */
function key(ids: Int32Array): string {
  return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('latin1')
}
