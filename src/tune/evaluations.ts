import { OptionError } from '../errors.js'

/** How evaluations are compared. */
export interface Ranking {
  bestMetric: string
  higherIsBetter: boolean
}

/** What was measured at a step. */
export interface Evaluated {
  step: number
  metrics: Record<string, number>
}

/** The evaluations of a run, and which of them is the best. */
export class Evaluations<E extends Evaluated> {
  /** The step of the last evaluation; 0 for none. */
  evaluatedAt = 0
  best: E | undefined
  /** Evaluations in a row that were no better than the best. */
  worse = 0
  history: Evaluated[] = []

  /** Takes note of an evaluation; true if it is the best so far. Of equal ones the earliest stays. */
  evaluated(evaluation: E, { bestMetric: metric, higherIsBetter }: Ranking): boolean {
    const { step, metrics } = evaluation
    if (typeof metrics[metric] !== 'number') {
      const names = Object.keys(metrics).join(', ')
      throw new OptionError('OPTION_INVALID', `Option 'bestMetric' is '${metric}', but the metrics gave: ${names}.`)
    }
    this.evaluatedAt = step
    this.history.push({ step, metrics })
    const gain = this.best === undefined ? 1 : (metrics[metric] as number) - (this.best.metrics[metric] as number)
    const better = higherIsBetter ? gain > 0 : this.best === undefined || gain < 0
    this.worse = better ? 0 : this.worse + 1
    if (better) this.best = evaluation
    return better
  }
}
