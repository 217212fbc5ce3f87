import { OptionError } from '../errors.js'
import { accuracy, exactMatch, macroF1 } from './classification.js'
import type { Metric } from './metric.js'

export type { Metric } from './metric.js'

const METRICS = new Map<string, Metric>(Object.entries({ accuracy, exactMatch, macroF1 }))

export const METRIC_NAMES: readonly string[] = [...METRICS.keys()]

/** A metric by name, or a function of one's own, whose result goes under the function's name. */
export type MetricChoice = string | Metric

/**
 * The functions that the choices stand for, under their names.
 *
 * @throws OptionError `OPTION_INVALID` for a name that is no metric's, a function without a name, and a name given twice
 */
export function resolveMetrics(choices: readonly MetricChoice[]): Map<string, Metric> {
  const resolved = new Map<string, Metric>()
  for (const choice of choices) {
    const name = typeof choice === 'string' ? choice : choice.name
    const metric = typeof choice === 'string' ? METRICS.get(choice) : choice
    if (!metric)
      throw new OptionError('OPTION_INVALID', `There is no metric ${JSON.stringify(choice)}. Known are ${METRIC_NAMES.join(', ')}.`)
    if (name === '') throw new OptionError('OPTION_INVALID', 'A metric of your own needs a name: give a named function.')
    if (resolved.has(name)) throw new OptionError('OPTION_INVALID', `The metric ${JSON.stringify(name)} is asked for twice.`)
    resolved.set(name, metric)
  }
  return resolved
}

/** Every chosen metric of the predictions against their targets, in the order chosen. */
export function computeMetrics(
  choices: readonly MetricChoice[],
  predictions: readonly string[],
  targets: readonly string[],
): Record<string, number> {
  const results: Record<string, number> = {}
  for (const [name, metric] of resolveMetrics(choices)) {
    const result = metric(predictions, targets)
    if (typeof result === 'number') results[name] = result
    else Object.assign(results, result)
  }
  return results
}
