import { CheckpointError, OptionError } from '../errors.js'
import type { NativePromptRows, NativeStep } from '../native.js'
import { Curve } from './curve.js'
import type { TuneOutcome } from './outcome.js'

export interface Best {
  step: number
  metrics: Record<string, number>
  prompt: NativePromptRows
  outcome: TuneOutcome
}

/** How evaluations are compared. */
export interface Ranking {
  bestMetric: string
  higherIsBetter: boolean
}

/** What a run knows beside the tuner's own state. It travels in the checkpoint's notes, so that a resumed run ends as if never interrupted. */
export class TuneState {
  step = 0
  /** The step of the last evaluation; 0 for none. */
  evaluatedAt = 0
  best: Best | undefined
  /** Evaluations in a row that were no better than the best. */
  worse = 0
  history: { step: number; metrics: Record<string, number> }[] = []
  losses: Curve<'loss' | 'learningRate' | 'gradientNorm'>
  /** Bytes of `rss`: what the process holds in memory. */
  pace: Curve<'examplesPerSecond' | 'rss'>
  examples = 0
  trainingSeconds = 0
  seconds = 0

  constructor(steps: number) {
    this.losses = new Curve(steps)
    this.pace = new Curve(steps)
  }

  add({ step, examples, loss, learningRate, gradientNorm }: NativeStep): void {
    this.step = step
    this.examples += examples
    this.losses.add(step, { loss, learningRate, gradientNorm })
  }

  /** Takes note of an evaluation; true if it is the best so far. Of equal ones the earliest stays. */
  evaluated(
    metrics: Record<string, number>,
    { bestMetric: metric, higherIsBetter }: Ranking,
    prompt: NativePromptRows,
    outcome: TuneOutcome,
  ): boolean {
    if (typeof metrics[metric] !== 'number') {
      const names = Object.keys(metrics).join(', ')
      throw new OptionError('OPTION_INVALID', `Option 'bestMetric' is '${metric}', but the metrics gave: ${names}.`)
    }
    this.evaluatedAt = this.step
    this.history.push({ step: this.step, metrics })
    const gain = this.best === undefined ? 1 : (metrics[metric] as number) - (this.best.metrics[metric] as number)
    const better = higherIsBetter ? gain > 0 : this.best === undefined || gain < 0
    this.worse = better ? 0 : this.worse + 1
    if (better) this.best = { step: this.step, metrics, prompt, outcome }
    return better
  }

  toNotes(): string {
    const { step, evaluatedAt, worse, history, losses, pace, examples, trainingSeconds, seconds } = this
    const best = this.best && { ...this.best, prompt: { ...this.best.prompt, data: toBase64(this.best.prompt.data) } }
    return JSON.stringify({ step, evaluatedAt, best, worse, history, losses, pace, examples, trainingSeconds, seconds })
  }

  static fromNotes(notes: string, steps: number, path: string): TuneState {
    try {
      const saved = JSON.parse(notes)
      const state = new TuneState(steps)
      const { step, evaluatedAt, worse, history, examples, trainingSeconds, seconds } = saved
      Object.assign(state, { step, evaluatedAt, worse, history, examples, trainingSeconds, seconds })
      if (saved.best) state.best = { ...saved.best, prompt: { ...saved.best.prompt, data: fromBase64(saved.best.prompt.data) } }
      state.losses.restore(saved.losses)
      state.pace.restore(saved.pace)
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

function toBase64(data: Float32Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

function fromBase64(text: string): Float32Array {
  // A copy of its own: a Buffer may lie anywhere in a shared pool, and a Float32Array must begin at a multiple of 4.
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)
}
