import type { Frozen } from '../frozen.js'
import type { Call } from '../job.js'
import type { NativeTrainer } from '../native.js'
import type { Ranking } from '../tune/evaluations.js'
import type { TuneOutcome } from '../tune/outcome.js'

/** The examples of one step, as token ids. */
export interface Batch {
  inputs: Int32Array[]
  targets: Int32Array[]
  /** Of all that the run has learned from with this batch, or of the whole data set: what a checkpoint is checked by. */
  digest: string
}

export interface Measured {
  metrics: Record<string, number>
  /** What was right and wrong, where outputs were compared with targets. */
  outcome: TuneOutcome | null
}

/** The model that learns, its trainer, and the call that it is for. */
export interface Learner {
  model: Frozen
  trainer: NativeTrainer
  call: Call
}

/** What a model learns from, and what it is measured by. */
export interface Course<Data> {
  /** What is known of the data; survives JSON. */
  readonly data: Data
  /** The batch of the next step; undefined where the data is at its end for good. */
  next(): Promise<Batch | undefined>
  /** Passes over the batches of so many steps, and gives the last one's digest. */
  skip(steps: number): Promise<string>
  /** Undefined without validation data. */
  readonly measure: ((learner: Learner) => Promise<Measured>) | undefined
  readonly ranking: Ranking
  /** Lets go of open files. */
  close?(): void
  /** Plain data: what the run was told to learn, beside what all runs are told. */
  readonly settings: object
}
