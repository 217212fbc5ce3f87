import type { DataSummary } from '../dataset.js'
import type { T5 } from '../model.js'
import type { TextSummary } from '../text/summary.js'
import type { TrainEvent } from './events.js'
import type { TrainReport } from './report.js'
import { TrainingRun } from './run.js'

/** What `finetune` tells while it goes on. */
export type FinetuneEvent = TrainEvent<DataSummary>
/** How a `finetune` went. */
export type FinetuneReport = TrainReport<DataSummary>

/** What `finetune` resolves to. */
export interface FinetuneResult {
  /** The copy that learned: the weights with the best bestMetric where there is validation data, else the last. Dispose of it when it is no longer needed. */
  model: T5
  /** How it went. */
  report: FinetuneReport
}

/** A `finetune` that is under way; what an abort leaves (`error.partial`) is `{ model, report }`. */
export class FinetuneRun extends TrainingRun<FinetuneEvent, FinetuneResult> {}

/** What `adapt` tells while it goes on. */
export type AdaptEvent = TrainEvent<TextSummary>
/** How an `adapt` went. */
export type AdaptReport = TrainReport<TextSummary>

/** What `adapt` resolves to. */
export interface AdaptResult {
  /** The copy that learned: the weights with the lowest validation loss where it was measured, else the last. Dispose of it when it is no longer needed. */
  model: T5
  /** How it went. */
  report: AdaptReport
}

/** An `adapt` that is under way; what an abort leaves (`error.partial`) is `{ model, report }`. */
export class AdaptRun extends TrainingRun<AdaptEvent, AdaptResult> {}
