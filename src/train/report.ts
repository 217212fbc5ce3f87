import type { Frozen } from '../frozen.js'
import type { ResolvedTraining } from '../options/training.js'
import type { TuneOutcome } from '../tune/outcome.js'
import { type EvaluationPoint, type LossPoint, type PacePoint, ruleSettings, type Versions } from '../tune/report.js'
import type { Divergence } from '../tune/state.js'
import { VERSION } from '../version.js'
import type { Course } from './course.js'
import type { TrainState, TrainStopReason } from './state.js'

/** How the training of a whole model went; survives JSON. */
export interface TrainReport<Data> {
  /** Steps done. */
  steps: number
  /** The step whose weights are the result. */
  bestStep: number
  /** Why it ended; null for one that was cut off. */
  stopped: TrainStopReason | null
  /** Moments at which a loss or gradient was not finite, and what to try. */
  divergences: Divergence[]
  /** The metric that picked it; null without validation data. */
  bestMetric: string | null
  /** Of the result on the validation data; empty without. */
  metrics: Record<string, number>
  /** Every evaluation. */
  history: EvaluationPoint[]
  /** What the result got right and wrong on the validation data; null where no outputs were compared. */
  outcome: TuneOutcome | null
  /** The training loss over the run, in at most 500 means of neighbouring steps, each at its last step; beside it the rate, and the gradient's L2 norm. */
  losses: LossPoint[]
  /** Likewise the speed of the training, and the bytes of memory that the process held. */
  pace: TrainPacePoint[]
  /** The most bytes of memory that the process has held in its life, by the system's account. */
  peakRss: number
  /** Spent on training and evaluating, an earlier part of a resumed run included. */
  seconds: number
  /** Of the training alone. */
  examplesPerSecond: number
  /** Tokens of inputs and targets together, and how many of them a second of the training alone. */
  tokens: number
  /** See `tokens`. */
  tokensPerSecond: number
  /** Numbers that were learned. */
  parameters: number
  /** What the run was told to do, with defaults resolved. */
  options: Record<string, unknown>
  /** Of the batches, the objectives and the dropout. */
  seed: number
  /** What the data was like. */
  data: Data
  /** The model that it started from. */
  base: {
    /** The last part of its path. */
    name: string
    /** Of its weights' values. */
    fingerprint: string
  }
  /** What it was made with. */
  versions: Versions
}

/** A point of the curves of speed and memory: means over neighbouring steps. */
export interface TrainPacePoint extends PacePoint {
  /** Of inputs and targets, of the training alone. */
  tokensPerSecond: number
}

/** The part of a run's options that is plain data. */
export function trainSettings(options: ResolvedTraining): Record<string, unknown> {
  const { steps, batchSize, microBatchSize, shuffle, loss, dropout, dtype, evaluateEvery, patience, timeLimit, onDivergence, seed } =
    options
  const given = { microBatchSize: microBatchSize || undefined, dtype, patience, timeLimit }
  return {
    ...{ steps, batchSize, shuffle, optimizer: ruleSettings(options.optimizer), loss, dropout, evaluateEvery, onDivergence, seed },
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  }
}

export function trainReport<Data>(base: Frozen, options: ResolvedTraining, course: Course<Data>, state: TrainState): TrainReport<Data> {
  const measured = course.measure !== undefined
  const perSecond = (count: number) => (state.trainingSeconds > 0 ? count / state.trainingSeconds : 0)
  return {
    steps: state.step,
    bestStep: state.kept ?? state.step,
    stopped: state.ended ?? null,
    divergences: state.divergences,
    bestMetric: measured ? course.ranking.bestMetric : null,
    metrics: state.best?.metrics ?? {},
    history: state.history,
    outcome: state.best?.outcome ?? null,
    losses: state.losses.points(),
    pace: state.pace.points(),
    peakRss: process.resourceUsage().maxRSS * 1024,
    seconds: state.seconds,
    examplesPerSecond: perSecond(state.examples),
    tokens: state.tokens,
    tokensPerSecond: perSecond(state.tokens),
    parameters: base.native.info.parameterCount,
    options: { ...course.settings, ...trainSettings(options) },
    seed: options.seed,
    data: course.data,
    base: { name: base.name, fingerprint: base.fingerprint },
    versions: { softprompt: VERSION, libtorch: base.libtorch, node: process.versions.node },
  }
}
