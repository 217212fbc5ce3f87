import type { CheckpointEvent, DivergenceEvent, EvaluationEvent, StepEvent } from '../tune/events.js'
import type { TrainStopReason } from './state.js'

/** A run begins: its data is read, its copy of the model made. */
export interface TrainStartEvent<Data> {
  /** Tells the events apart. */
  type: 'start'
  /** All are learned. */
  parameters: number
  /** Steps in all. */
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
  /** Tells the events apart. */
  type: 'end'
  /** Steps done. */
  step: number
  /** The step whose weights are the result. */
  bestStep: number
  /** Why it is over. */
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
