import { TuneError } from '../errors.js'
import type { ResolvedTune } from '../options/tune.js'
import type { RunState } from './state.js'

/** How often a run may be set back before it stops. */
const SETBACKS = 3
const LOWER = 0.1

/** Whether a rising loss counts as a divergence too, and prompts are kept to go back to. */
export function isWatched({ onDivergence }: ResolvedTune): boolean {
  return onDivergence === 'stop' || onDivergence === 'lowerRate'
}

/** The factor of the rate that a run which diverged goes on with; null: it stops. Throws TUNE_DIVERGED where the call is to fail. */
export function nextRateFactor({ onDivergence, several }: ResolvedTune, run: RunState, what: string): number | null {
  const policy = onDivergence ?? (several ? 'stop' : 'fail')
  if (policy === 'fail') throw new TuneError('TUNE_DIVERGED', capital(what))
  return policy === 'lowerRate' && run.divergences.length < SETBACKS ? run.rateFactor * LOWER : null
}

/** What is wrong where a window of steps with this mean loss was the second in a row that is high. */
export function risingLoss(mean: number, lowest: number, step: number, rate: number): string {
  const seen = `the loss keeps rising: it was ${lowest.toFixed(2)} and is ${mean.toFixed(2)} at step ${step}`
  return `${seen} (learning rate ${rate}): try a learning rate a tenth of it, or a warm-up`
}

export function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
