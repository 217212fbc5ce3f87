import { OptionError } from '../errors.js'
import { exactMatch, multirc, record, tokenF1 } from './answers.js'
import { bleu } from './bleu.js'
import { accuracy, binaryF1, cb, invalid, macroF1, matthews, microF1, weightedF1 } from './classification.js'
import { pearson, spearman } from './correlation.js'
import type { BuiltIn, Metric, MetricDefinition, MetricResult, Scored } from './metric.js'
import { rougeL, rougeN } from './rouge.js'

export type { Metric, MetricDefinition, MetricResult, MetricRow, Scored } from './metric.js'

const METRICS = new Map<string, BuiltIn>(
  Object.entries({
    ...{ accuracy, exactMatch, tokenF1, macroF1, microF1, weightedF1, f1: binaryF1, matthews, invalid },
    ...{ bleu, rouge1: rougeN(1), rouge2: rougeN(2), rougeL, pearson, spearman, cb, multirc, record },
  }),
)

export const METRIC_NAMES: readonly string[] = [...METRICS.keys()]

/** A metric by name ('accuracy', 'f1:yes'), or one's own: a function, whose result goes under its name, or { name, compute }. */
export type MetricChoice = string | Metric | MetricDefinition

interface Resolved {
  compute(scored: Scored): MetricResult | Promise<MetricResult>
  check(scored: Omit<Scored, 'predictions'>): void
  higherIsBetter: boolean
}

/** The name that a choice's number goes under. */
export function nameOf(choice: MetricChoice): string {
  return typeof choice === 'string' ? choice : choice.name
}

/**
 * The functions that the choices stand for, under their names.
 *
 * @throws OptionError `OPTION_INVALID` for a name that is no metric's, a function without a name, and a name given twice
 */
export function resolveMetrics(choices: readonly MetricChoice[]): Map<string, Resolved> {
  const resolved = new Map<string, Resolved>()
  for (const choice of choices) {
    const metric = typeof choice === 'string' ? builtIn(choice) : own(choice)
    const name = nameOf(choice)
    if (resolved.has(name)) throw new OptionError('OPTION_INVALID', `The metric ${JSON.stringify(name)} is asked for twice.`)
    resolved.set(name, metric)
  }
  return resolved
}

function builtIn(choice: string): Resolved {
  const [, name = choice, argument] = /^([^:]*):(.+)$/s.exec(choice) ?? []
  const metric = METRICS.get(name)
  if (!metric)
    throw new OptionError('OPTION_INVALID', `There is no metric ${JSON.stringify(choice)}. Known are ${METRIC_NAMES.join(', ')}.`)
  if (argument !== undefined && !metric.takesArgument)
    throw new OptionError('OPTION_INVALID', `The metric ${name} takes nothing after a colon, as in ${JSON.stringify(choice)}.`)
  return {
    compute: async (scored) => underName(await metric.compute(scored, argument), name, choice),
    check: (scored) => metric.check?.(scored, argument),
    higherIsBetter: metric.higherIsBetter ?? true,
  }
}

/** 'multirc:yes' gives 'multirc:yes', 'multirc:yes.f1a' ... */
function underName(result: MetricResult, name: string, choice: string): MetricResult {
  if (typeof result === 'number' || name === choice) return result
  return Object.fromEntries(Object.entries(result).map(([key, value]) => [choice + key.slice(name.length), value]))
}

function own(choice: Metric | MetricDefinition): Resolved {
  const compute = typeof choice === 'function' ? choice : choice?.compute
  const allowed = `a metric's name, a function, or { name, compute }`
  if (typeof compute !== 'function') throw new OptionError('OPTION_INVALID', `A metric is ${allowed}, but one of them is none of these.`)
  if (typeof choice.name !== 'string' || choice.name === '')
    throw new OptionError('OPTION_INVALID', 'A metric of your own needs a name: give a named function, or { name, compute }.')
  return {
    compute: ({ predictions, targets, rows }) => compute(predictions, targets, rows),
    check: () => {},
    higherIsBetter: typeof choice === 'object' ? (choice.higherIsBetter ?? true) : true,
  }
}

/** Whether the greater value of the number called `name` is the better one; of a name that a function gives itself, as its function says. */
export function higherIsBetter(choices: readonly MetricChoice[], name: string): boolean {
  const resolved = resolveMetrics(choices)
  const exact = resolved.get(name)
  if (exact) return exact.higherIsBetter
  return choices.length === 1 ? [...resolved.values()][0]!.higherIsBetter : true
}

/** Throws DATA_METRIC_UNFIT where a chosen metric can't measure such targets, before anything is predicted. */
export function checkMetrics(choices: readonly MetricChoice[], scored: Omit<Scored, 'predictions'>): void {
  for (const metric of resolveMetrics(choices).values()) metric.check(scored)
}

/**
 * Every chosen metric of the predictions against their targets, in the order chosen.
 *
 * Rejects with DATA_METRIC_UNFIT, or OPTION_INVALID where a metric of one's own gives no finite number.
 */
export async function computeMetrics(choices: readonly MetricChoice[], scored: Scored): Promise<Record<string, number>> {
  checkMetrics(choices, scored)
  const results: Record<string, number> = {}
  for (const [name, metric] of resolveMetrics(choices)) {
    const result = await metric.compute(scored)
    const named = typeof result === 'object' && result !== null ? result : { [name]: result }
    for (const [key, value] of Object.entries(named)) {
      if (typeof value !== 'number' || !Number.isFinite(value))
        throw new OptionError('OPTION_INVALID', `The metric '${name}' gave ${String(value)} for '${key}'. It must be a finite number.`)
      results[key] = value
    }
  }
  return results
}
