import type { CheckpointEvent, DivergenceEvent, EvaluationEvent, StepEvent } from '../tune/events.js'
import type { TrainStopReason } from './state.js'

/** A run begins: its data is read, its copy of the model made. */
export interface TrainStartEvent<Data> {
  type: 'start'
  /** All are learned. */
  parameters: number
  steps: number
  /** Steps that a checkpoint had done already; 0 for a new run. */
  resumedFrom: number
  /** What the data is like, and what to look at in it. */
  data: Data
}

/** One step is done. The gradient's norm is that of all parameters. */
export interface TrainStepEvent extends Omit<StepEvent, 'run'> {
  /** Of inputs and targets. */
  tokensPerSecond: number
}

/** All is over, and `result` settles. */
export interface TrainEndEvent {
  type: 'end'
  step: number
  bestStep: number
  reason: TrainStopReason
}

/** What the training of a whole model tells while it goes on. Every event survives JSON. */
export type TrainEvent<Data> =
  | TrainStartEvent<Data>
  | TrainStepEvent
  | Omit<EvaluationEvent, 'run'>
  | CheckpointEvent
  | Omit<DivergenceEvent, 'run'>
  | TrainEndEvent
