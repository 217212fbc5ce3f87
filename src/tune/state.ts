import { CheckpointError } from '../errors.js'
import type { NativePromptRows, NativeStep } from '../native.js'
import { Curve } from './curve.js'
import { type Evaluated, Evaluations } from './evaluations.js'
import { LossWatch } from './losses.js'
import type { TuneOutcome } from './outcome.js'

export interface Best extends Evaluated {
  prompt: NativePromptRows
  outcome: TuneOutcome
}

/** A prompt that is kept as a file. */
export interface SavedPrompt {
  step: number
  /** Of its evaluation; empty without validation data. */
  metrics: Record<string, number>
}

/** Why a run is over. */
export type StopReason = 'steps' | 'patience' | 'timeLimit' | 'diverged'

/** A moment at which a run's loss was not finite, or kept rising. */
export interface Divergence {
  /** Steps done. */
  step: number
  /** What was seen, and what to try. */
  what: string
  /** What the rate was multiplied by from then on; null where the run stopped. */
  rateFactor: number | null
}

/** What is known of one run beside the tuner's own state. */
export class RunState extends Evaluations<Best> {
  losses: Curve<'loss' | 'learningRate' | 'gradientNorm'>
  examples = 0
  /** Set when it is over. */
  ended: { step: number; reason: StopReason } | undefined
  rateFactor = 1
  divergences: Divergence[] = []
  watch = new LossWatch()
  /** The prompt behind the lowest losses, where they are watched; of tasks that share rows, behind the lowest of all together. */
  safe: { step: number; prompt: NativePromptRows } | undefined

  /** Kept as files: the best first, without validation data the latest. */
  saved: SavedPrompt[] = []

  constructor(steps: number) {
    super()
    this.losses = new Curve(steps)
  }

  /** The prompt that the run gives whatever it does now; undefined: its last one. */
  get kept(): { step: number; prompt: NativePromptRows } | undefined {
    return this.best ?? (this.ended?.reason === 'diverged' ? this.safe : undefined)
  }

  add({ step, examples, loss, learningRate, gradientNorm }: NativeStep): void {
    this.examples += examples
    this.losses.add(step, { loss, learningRate, gradientNorm })
    this.watch.add(loss)
  }

  toJSON() {
    const { evaluatedAt, worse, history, losses, examples, ended, rateFactor, divergences, watch, saved } = this
    const [best, safe] = [packed(this.best), packed(this.safe)]
    return { evaluatedAt, best, worse, history, losses, examples, ended, rateFactor, divergences, watch, safe, saved }
  }

  static fromJSON(saved: ReturnType<RunState['toJSON']>, steps: number): RunState {
    const state = new RunState(steps)
    const { evaluatedAt, worse, history, examples, ended, rateFactor, divergences } = saved
    Object.assign(state, { evaluatedAt, worse, history, examples, ended, rateFactor, divergences })
    state.saved = saved.saved ?? []
    state.best = unpacked(saved.best)
    state.safe = unpacked(saved.safe)
    state.losses.restore(saved.losses as unknown as ReturnType<RunState['losses']['toJSON']>)
    Object.assign(state.watch, saved.watch)
    return state
  }
}

/** What the runs of a call know beside the tuner's own state. It travels in the checkpoint's notes, so that what resumes ends as if never interrupted. */
export class TuneState {
  step = 0
  trainingSeconds = 0
  seconds = 0

  /** Bytes of `rss`: what the process holds in memory. */
  readonly pace: Curve<'examplesPerSecond' | 'rss'>
  /** Over the losses of all runs. */
  readonly watch = new LossWatch()
  /** Files of prompts that are kept no more, and go when a checkpoint without them is on the disk. */
  surplus: { run: number; step: number }[] = []

  constructor(
    readonly runs: RunState[],
    steps: number,
  ) {
    this.pace = new Curve(steps)
  }

  static fresh(count: number, steps: number): TuneState {
    const runs = Array.from({ length: count }, () => new RunState(steps))
    return new TuneState(runs, steps)
  }

  /** A step of a run that was taken, or passed over where the batch had none of its rows. */
  add(step: NativeStep): void {
    this.step = step.step
    if (step.examples === 0) return
    this.runs[step.run]!.add(step)
    this.watch.add(step.loss)
  }

  /** The indices of the runs that go on. */
  active(): number[] {
    return this.runs.flatMap(({ ended }, run) => (ended ? [] : [run]))
  }

  /** Steps that a run has done. */
  stepOf(run: RunState): number {
    return run.ended?.step ?? this.step
  }

  toNotes(): string {
    return JSON.stringify(this)
  }

  static fromNotes(notes: string, steps: number, path: string): TuneState {
    try {
      const { step, trainingSeconds, seconds, runs, pace, watch, surplus = [] } = JSON.parse(notes)
      const restored = runs.map((run: ReturnType<RunState['toJSON']>) => RunState.fromJSON(run, steps))
      const state = new TuneState(restored, steps)
      state.pace.restore(pace)
      Object.assign(state.watch, watch)
      Object.assign(state, { step, trainingSeconds, seconds, surplus })
      // Runs that went on to the last may go on from there: with more steps, time or patience than before.
      for (const run of state.runs) if (run.ended?.step === step && run.ended?.reason !== 'diverged') run.ended = undefined
      return state
    } catch (cause) {
      throw new CheckpointError(
        'CHECKPOINT_INVALID',
        `The notes in the checkpoint ${path} cannot be read. Delete it, or run without 'resume'.`,
        { cause },
      )
    }
  }
}

function packed<T extends { prompt: NativePromptRows }>(kept: T | undefined) {
  return kept && { ...kept, prompt: { ...kept.prompt, data: toBase64(kept.prompt.data) } }
}

function unpacked<T extends { prompt: { data: string; rows: number; dModel: number } }>(kept: T | undefined) {
  return kept && { ...kept, prompt: { ...kept.prompt, data: fromBase64(kept.prompt.data) } }
}

function toBase64(data: Float32Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

function fromBase64(text: string): Float32Array {
  // A copy of its own: a Buffer may lie anywhere in a shared pool, and a Float32Array must begin at a multiple of 4.
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)
}
