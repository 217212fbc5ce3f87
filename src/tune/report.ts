import type { DataSummary } from '../dataset.js'
import { nameOf } from '../metrics/index.js'
import type { ResolvedTune } from '../options/tune.js'
import type { TuneOutcome } from './outcome.js'
import type { TuneState } from './state.js'

/** How a run went; survives JSON. */
export interface TuneReport {
  /** Steps done. */
  steps: number
  /** The step whose prompt is the result. */
  bestStep: number
  /** The metric that picked it; null without validation data. */
  bestMetric: string | null
  /** Of the result on the validation data; empty without. */
  metrics: Record<string, number>
  /** Every evaluation. */
  history: { step: number; metrics: Record<string, number> }[]
  /** What the result got right and wrong on the validation data; null without. */
  outcome: TuneOutcome | null
  /** The training loss over the run, in at most 500 means of neighbouring steps, each at its last step; beside it the rate, and the gradient's L2 norm. */
  losses: { step: number; loss: number; learningRate: number; gradientNorm: number }[]
  /** Likewise the speed of the training, and the bytes of memory that the process held. */
  pace: { step: number; examplesPerSecond: number; rss: number }[]
  /** The most bytes of memory that the process has held in its life, by the system's account. */
  peakRss: number
  /** Spent on training and evaluating, an earlier part of a resumed run included. */
  seconds: number
  /** Of the training alone. */
  examplesPerSecond: number
  /** What the run was told to do, with presets and defaults resolved. */
  options: TuneSettings
  seed: number
  data: DataSummary
  versions: { softprompt: string; libtorch: string; node: string }
}

/** The part of a run's options that is plain data. */
export interface TuneSettings
  extends Pick<
    ResolvedTune,
    'preset' | 'steps' | 'batchSize' | 'length' | 'shuffle' | 'dropout' | 'loss' | 'seed' | 'maxInputLength' | 'maxTargetLength'
  > {
  init: string | { labels: string[] } | { text: string } | { prompt: string }
  optimizer: Record<string, string | number>
  evaluateEvery: number
  metrics: string[]
  bestMetric: string
  patience?: number
  validationSplit?: number
}

/** What each update rule has beside what all have. */
const OWN_SETTINGS = {
  adafactor: ['clipThreshold', 'decayRate', 'initialStep', 'minDimSizeToFactor', 'epsilon'],
  adamw: ['beta1', 'beta2', 'epsilon'],
  muon: ['momentum'],
}

export function settingsOf(options: ResolvedTune): TuneSettings {
  const { preset, steps, batchSize, length, shuffle, dropout, loss, seed, maxInputLength, maxTargetLength } = options
  const { evaluateEvery, bestMetric, patience, validationSplit, init } = options
  const metrics = options.metrics.map(nameOf)
  const own = OWN_SETTINGS[options.optimizer.name]
  const foreign = Object.values(OWN_SETTINGS)
    .flat()
    .filter((name) => !own.includes(name))
  const optimizer = Object.fromEntries(Object.entries(options.optimizer).filter(([name]) => !foreign.includes(name)))
  return {
    ...{ preset, steps, batchSize, length, init: typeof init === 'object' && 'prompt' in init ? { prompt: 'given' } : init, shuffle },
    ...{
      optimizer,
      loss,
      dropout,
      evaluateEvery,
      metrics,
      bestMetric,
      ...(patience && { patience }),
      ...(validationSplit && { validationSplit }),
    },
    ...{ maxInputLength, maxTargetLength, seed },
  }
}

export function reportOf(
  options: ResolvedTune,
  state: TuneState,
  data: DataSummary,
  versions: { softprompt: string; libtorch: string },
): TuneReport {
  const best = data.validation === null ? undefined : state.best
  return {
    steps: state.step,
    bestStep: best?.step ?? state.step,
    bestMetric: data.validation === null ? null : options.bestMetric,
    metrics: best?.metrics ?? {},
    history: state.history,
    outcome: best?.outcome ?? null,
    losses: state.losses.points(),
    pace: state.pace.points(),
    peakRss: process.resourceUsage().maxRSS * 1024,
    seconds: state.seconds,
    examplesPerSecond: state.trainingSeconds > 0 ? state.examples / state.trainingSeconds : 0,
    options: settingsOf(options),
    seed: options.seed,
    data,
    versions: { ...versions, node: process.versions.node },
  }
}
