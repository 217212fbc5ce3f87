import { CheckpointError } from '../errors.js'
import type { NativeTrainStep } from '../native.js'
import { Curve } from '../tune/curve.js'
import { type Evaluated, Evaluations } from '../tune/evaluations.js'
import { LossWatch } from '../tune/losses.js'
import type { TuneOutcome } from '../tune/outcome.js'
import type { Divergence, StopReason } from '../tune/state.js'

/** 'textEnded': a text that cannot be read again was at its end. */
export type TrainStopReason = StopReason | 'textEnded'

export interface BestWeights extends Evaluated {
  outcome: TuneOutcome | null
}

/** What a run knows beside the trainer's own state. It travels in the checkpoint's notes, so that what resumes ends as if never interrupted. */
export class TrainState extends Evaluations<BestWeights> {
  step = 0
  examples = 0
  /** Of inputs and targets. */
  tokens = 0
  seconds = 0
  trainingSeconds = 0
  /** What was learned from until now. */
  digest = ''
  ended: TrainStopReason | undefined
  divergences: Divergence[] = []
  /** Times the schedule's rate. */
  rateFactor = 1
  readonly watch = new LossWatch()
  /** Where losses are watched: the step with the lowest, whose weights are kept while none were measured. */
  safe: number | undefined
  readonly losses: Curve<'loss' | 'learningRate' | 'gradientNorm'>
  /** `rss`: bytes that the process holds in memory. */
  readonly pace: Curve<'examplesPerSecond' | 'tokensPerSecond' | 'rss'>

  constructor(steps: number) {
    super()
    this.losses = new Curve(steps)
    this.pace = new Curve(steps)
  }

  /** The step whose weights the run gives, whatever it does now; undefined: the last one's. */
  get kept(): number | undefined {
    return this.best?.step ?? (this.ended === 'diverged' ? this.safe : undefined)
  }

  add({ step, examples, inputTokens, targetTokens, loss, learningRate, gradientNorm }: NativeTrainStep): void {
    this.step = step
    this.examples += examples
    this.tokens += inputTokens + targetTokens
    this.losses.add(step, { loss, learningRate, gradientNorm })
    this.watch.add(loss)
  }

  /** `identity`: what must be the same where the run goes on. */
  toNotes(identity: Identity): string {
    return JSON.stringify({ identity, state: { ...this } })
  }

  static fromNotes(notes: string, identity: Identity, { steps, path }: { steps: number; path: string }): TrainState {
    const saved = parse(notes, path)
    const differing = Object.keys(identity).filter((name) => JSON.stringify(identity[name]) !== JSON.stringify(saved.identity[name]))
    if (differing.length > 0)
      throw new CheckpointError(
        'CHECKPOINT_MISMATCH',
        `The checkpoint ${path} is of a run with another ${differing.join(', ')}. Give what that run was given, another path, or leave 'resume' out.`,
      )
    const state = new TrainState(steps)
    const { losses, pace, ended, watch, ...rest } = saved.state
    Object.assign(state, rest)
    Object.assign(state.watch, watch)
    state.losses.restore(losses)
    state.pace.restore(pace)
    // A run that went on to its last step may go on from there, with more steps, time or patience; one that diverged may not.
    if (ended === 'diverged') state.ended = ended
    return state
  }
}

export type Identity = Readonly<Record<string, unknown>>

type Saved = Omit<TrainState, 'losses' | 'pace'> & {
  losses: ReturnType<TrainState['losses']['toJSON']>
  pace: ReturnType<TrainState['pace']['toJSON']>
}

function parse(notes: string, path: string): { identity: Identity; state: Saved } {
  try {
    const { identity, state } = JSON.parse(notes)
    if (typeof identity === 'object' && identity !== null && typeof state.step === 'number') return { identity, state }
    throw new Error('they are of another kind')
  } catch (cause) {
    throw new CheckpointError(
      'CHECKPOINT_INVALID',
      `The notes in the checkpoint ${path} cannot be read. Delete it, or run without 'resume'.`,
      { cause },
    )
  }
}
