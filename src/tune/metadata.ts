import { MOST_LABELS } from '../data/summary.js'
import type { DataSet } from '../dataset.js'
import type { Frozen } from '../frozen.js'
import type { ResolvedRun, ResolvedTune } from '../options/tune.js'
import { textOf } from '../predict.js'
import type { TuneReport } from './report.js'

/** What a prompt's file says about it. Holds no times, so that the same run writes the same bytes. */
export function promptMetadata(
  model: Frozen,
  options: ResolvedTune,
  { init, length, task }: ResolvedRun,
  report: TuneReport,
  train: DataSet,
): Record<string, string> {
  const labels = typeof init === 'object' && 'labels' in init ? init.labels : labelsOf(model, train.targets)
  const { bestStep, bestMetric, metrics } = report
  return {
    format: 'softprompt',
    version: report.versions.softprompt,
    model: model.name,
    fingerprint: model.fingerprint,
    rows: String(length),
    dModel: String(model.dModel),
    ...((task ?? options.task) && { task: task ?? (options.task as string) }),
    ...(labels && { labels: JSON.stringify(labels) }),
    training: JSON.stringify({ ...report.options, examples: train.inputs.length, bestStep, bestMetric, validation: metrics }),
  }
}

/** The distinct targets of a task that has few; undefined for one whose outputs are free text. */
export function labelsOf(model: Frozen, targets: readonly Int32Array[]): string[] | undefined {
  const distinct = new Map<string, Int32Array>()
  for (const target of targets) {
    distinct.set(target.join(' '), target)
    if (distinct.size > MOST_LABELS || distinct.size > targets.length / 2) return undefined
  }
  return [...distinct.values()].map((target) => textOf(model, target)).sort()
}
