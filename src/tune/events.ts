import type { DataSummary } from '../dataset.js'
import type { StopReason } from './state.js'

/** A run begins: its data is read, its prompt initialised. */
export interface StartEvent {
  /** Tells the events apart. */
  type: 'start'
  /** Training examples. */
  examples: number
  /** Validation examples; 0 for none. */
  validation: number
  /** Runs over the same batches, where the call has `runs`. Every event that is about one of them then has its index as `run`. */
  runs?: number
  /** Of the longest prompt. */
  promptRows: number
  /** Numbers of a row. */
  dModel: number
  /** What is learned: promptRows x dModel numbers, of all runs. */
  parameters: number
  /** What stays frozen. */
  modelParameters: number
  /** Steps in all. */
  steps: number
  /** Steps that a checkpoint had done already; 0 for a new run. */
  resumedFrom: number
  /** What the data is like, and what to look at in it. */
  data: DataSummary
}

/** One step is done. */
export interface StepEvent {
  /** Tells the events apart. */
  type: 'step'
  /** The run's index in `runs`, where the call has several. */
  run?: number
  /** Steps done, from 1. */
  step: number
  /** Steps in all. */
  steps: number
  /** Cross entropy in nats, the mean over the batch's target tokens whatever the loss's reduction, without z-loss. */
  loss: number
  /** What the step was taken at. */
  learningRate: number
  /** L2 norm of the prompt's gradient, of the loss as it is trained. */
  gradientNorm: number
  /** Of all runs. */
  examplesPerSecond: number
  /** Until the last step, at the present rate. */
  secondsLeft: number
}

/** The prompt was measured on the validation data. */
export interface EvaluationEvent {
  /** Tells the events apart. */
  type: 'evaluation'
  /** The run's index in `runs`, where the call has several. */
  run?: number
  /** Steps done. */
  step: number
  /** Each metric by its name. */
  metrics: Record<string, number>
  /** Whether it is the best prompt so far, by the run's bestMetric. */
  best: boolean
}

/** The run's state was written to `path`. */
export interface CheckpointEvent {
  /** Tells the events apart. */
  type: 'checkpoint'
  /** Steps done. */
  step: number
  /** The file. */
  path: string
  /** With `keep`: the files of the prompts that are kept, each run's best first. */
  kept?: string[]
}

/** A loss or a prompt was not finite, or the loss kept rising; see `onDivergence`. */
export interface DivergenceEvent {
  /** Tells the events apart. */
  type: 'divergence'
  /** The run's index in `runs`, where the call has several. */
  run?: number
  /** Steps done. */
  step: number
  /** What was seen, and what to try. */
  what: string
  /** What the rate is multiplied by from now on; null where the run stops. */
  rateFactor: number | null
}

/** One of several runs is over and leaves the batches; the others go on. */
export interface RunEndEvent {
  /** Tells the events apart. */
  type: 'runEnd'
  /** Its index in `runs`. */
  run: number
  /** Steps done. */
  step: number
  /** The step whose prompt is its result. */
  bestStep: number
  /** Why it is over. */
  reason: StopReason
}

/** All is over, and `result` settles. Of several runs, it is about the best. */
export interface EndEvent {
  /** Tells the events apart. */
  type: 'end'
  /** The best run's index in `runs`, where the call has several. */
  run?: number
  /** Steps done. */
  step: number
  /** The step whose prompt is the result. */
  bestStep: number
  /** Why it is over. */
  reason: StopReason
}

/** What a run tells while it goes on. Every event survives JSON. */
export type TuneEvent = StartEvent | StepEvent | EvaluationEvent | CheckpointEvent | DivergenceEvent | RunEndEvent | EndEvent

/**
 * The last events of a run, for any number of readers. Where nobody reads, or too slowly, the oldest are dropped: a run neither waits for its readers nor
 * grows with them.
 */
export class EventLog<T> {
  readonly #capacity: number
  #events: T[] = []
  /** The number of the first event that is kept. */
  #first = 0
  #ended = false
  #waiting = new Set<() => void>()

  constructor(capacity = 4096) {
    this.#capacity = capacity
  }

  push(event: T): void {
    this.#events.push(event)
    // In blocks, as dropping from the front of an array is not free.
    if (this.#events.length >= 2 * this.#capacity) this.#drop(this.#events.length - this.#capacity)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** A reader with a place of its own, from the oldest event that is kept on. It is open from its first read until it is through or is left. */
  async *read({ opened, closed }: { opened(): void; closed(): void }): AsyncGenerator<T, void, undefined> {
    opened()
    let next = this.#oldest()
    try {
      while (true) {
        next = Math.max(next, this.#oldest())
        const event = this.#events[next - this.#first]
        if (event !== undefined) {
          next += 1
          yield event
        } else if (this.#ended) return
        else await this.#more()
      }
    } finally {
      closed()
    }
  }

  #oldest(): number {
    return this.#first + Math.max(0, this.#events.length - this.#capacity)
  }

  #drop(count: number): void {
    this.#events = this.#events.slice(count)
    this.#first += count
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const resolve of waiting) resolve()
  }
}
