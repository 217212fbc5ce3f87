import type { SoftPrompt } from '../prompt.js'
import { TrainingRun } from '../train/run.js'
import type { TuneEvent } from './events.js'
import type { TuneReport } from './report.js'

/** One learned prompt, and how its run went. */
export interface RunResult {
  /** The task that it is of, where `prompt.tasks` was given. */
  task?: string
  /** The best prompt by the run's bestMetric where there is validation data, else the last. */
  prompt: SoftPrompt
  /** How it went. */
  report: TuneReport
}

/** Of the best run: by bestMetric where there is validation data, else by the training loss of its last tenth; of equal ones the first. Of tasks, it is the first. */
export interface TuneResult extends RunResult {
  /** Every run, in the order of the option `runs` (or of `prompt.tasks`); one where neither was given. */
  runs: RunResult[]
}

/** A tuning run that is under way; what an abort leaves (`error.partial`) is a TuneResult. */
export class TuneRun extends TrainingRun<TuneEvent, TuneResult> {}
