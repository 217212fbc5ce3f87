import type { ResolvedTune } from '../options/tune.js'
import type { TuneReport } from './report.js'

/** The run whose prompt is the best: by bestMetric where there is validation data, else by the training loss of its last tenth. Of equal ones the first. */
export function bestRun(runs: readonly { report: TuneReport }[], { bestMetric, higherIsBetter }: ResolvedTune): number {
  const scores = runs.map(({ report }) => {
    if (report.bestMetric === null) return report.stopped === 'diverged' ? -Infinity : -lastLoss(report)
    const value = report.metrics[bestMetric] ?? Number.NaN
    return Number.isNaN(value) ? -Infinity : higherIsBetter ? value : -value
  })
  return scores.indexOf(Math.max(...scores))
}

/** The mean training loss of the last tenth of what is kept of it; infinite where there is none. */
export function lastLoss({ losses }: TuneReport): number {
  const last = losses.slice(-Math.max(1, Math.ceil(losses.length / 10)))
  return last.length > 0 ? last.reduce((sum, { loss }) => sum + loss, 0) / last.length : Infinity
}
