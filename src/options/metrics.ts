import { METRIC_NAMES, type MetricChoice, resolveMetrics } from '../metrics/index.js'
import { invalidOption } from './check.js'

/** Names of metrics, functions or definitions; OPTION_INVALID for a name that is none. */
export function metricList(value: unknown, name: string): readonly MetricChoice[] {
  const allowed = `an array of ${METRIC_NAMES.map((known) => `'${known}'`).join(', ')} functions or { name, compute }`
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, value, allowed)
  resolveMetrics(value)
  return value
}
