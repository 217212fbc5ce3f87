import type { DataSummary } from '../dataset.js'
import { nameOf } from '../metrics/index.js'
import type { NativeOptimizer } from '../native.js'
import type { Init, ResolvedRun, ResolvedTune } from '../options/tune.js'
import { keptPath } from './kept-path.js'
import type { TuneOutcome } from './outcome.js'
import type { Divergence, RunState, StopReason, TuneState } from './state.js'

/** How a run went; survives JSON. */
export interface TuneReport {
  /** Of `prompt.tasks`, the task that it is about. */
  task?: string
  /** Steps done. */
  steps: number
  /** The step whose prompt is the result. */
  bestStep: number
  /** Why it ended: all steps done, no better evaluation, the time limit, or a divergence; null for one that was cut off. */
  stopped: StopReason | null
  /** Moments at which a loss or the prompt was not finite, or the loss kept rising, and what to try. */
  divergences: Divergence[]
  /** The metric that picked it; null without validation data. */
  bestMetric: string | null
  /** Of the result on the validation data; empty without. */
  metrics: Record<string, number>
  /** Every evaluation. */
  history: { step: number; metrics: Record<string, number> }[]
  /** With the checkpoint's `keep`: the prompts that are kept as files, the best first (without validation data the latest). */
  kept?: { step: number; metrics: Record<string, number>; path: string }[]
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

type PlainInit =
  | string
  | { uniform: readonly [number, number] }
  | { labels: string[] }
  | { text: string }
  | { prompt: string }
  | { mean: string }

/** The part of a run's options that is plain data. */
export interface TuneSettings
  extends Pick<
    ResolvedTune,
    'preset' | 'steps' | 'batchSize' | 'length' | 'shuffle' | 'dropout' | 'loss' | 'seed' | 'maxInputLength' | 'maxTargetLength'
  > {
  init: PlainInit | { shared: PlainInit; own: PlainInit }
  optimizer: Record<string, string | number>
  evaluateEvery: number
  metrics: string[]
  bestMetric: string
  patience?: number
  validationSplit?: number
  sentinel?: boolean
  microBatchSize?: number
  /** Of the rows in front of all tasks' own. */
  sharedLength?: number
  timeLimit?: number
  onDivergence?: string
  /** Of the batches, where it is not `seed`. */
  batchSeed?: number
}

/** What each update rule has beside what all have. */
const OWN_SETTINGS = {
  adafactor: ['parameterScaling', 'clipThreshold', 'decayRate', 'initialStep', 'minDimSizeToFactor', 'epsilon'],
  adamw: ['beta1', 'beta2', 'epsilon'],
  muon: ['momentum'],
}

/** An optimizer without the settings of other update rules. */
export function ruleSettings(optimizer: { name: NativeOptimizer['name']; learningRate: number }): Record<string, string | number> {
  const own: readonly string[] = OWN_SETTINGS[optimizer.name]
  const foreign = Object.values(OWN_SETTINGS)
    .flat()
    .filter((name) => !own.includes(name))
  return Object.fromEntries(Object.entries(optimizer).filter(([name]) => !foreign.includes(name)))
}

/** Those of one run of the call. */
export function settingsOf(options: ResolvedTune, { length, init, seed, learningRate }: ResolvedRun): TuneSettings {
  const { preset, steps, batchSize, shuffle, dropout, loss, maxInputLength, maxTargetLength } = options
  const { evaluateEvery, bestMetric, patience, validationSplit, microBatchSize, timeLimit, onDivergence } = options
  const metrics = options.metrics.map(nameOf)
  const optimizer = ruleSettings({ ...options.optimizer, learningRate })
  return {
    ...{ preset, steps, batchSize, length, init: startOf(init, options.shared), shuffle },
    ...{
      optimizer,
      loss,
      dropout,
      evaluateEvery,
      metrics,
      bestMetric,
      ...(patience && { patience }),
      ...(validationSplit && { validationSplit }),
      ...(options.sentinel && { sentinel: true }),
      ...(microBatchSize && { microBatchSize }),
      ...(options.shared && { sharedLength: options.shared.length }),
      ...(timeLimit && { timeLimit }),
      ...(onDivergence && { onDivergence }),
    },
    ...{ maxInputLength, maxTargetLength, seed, ...(seed !== options.seed && { batchSeed: options.seed }) },
  }
}

function startOf(own: Init, shared: ResolvedRun | undefined): TuneSettings['init'] {
  return shared ? { shared: plainInit(shared.init), own: plainInit(own) } : plainInit(own)
}

function plainInit(init: Init): PlainInit {
  if (typeof init !== 'object') return init
  if ('mean' in init) return { mean: `${init.mean.length} given` }
  return 'prompt' in init ? { prompt: 'given' } : init
}

/** Of run `index` of the call. */
export function reportOf(
  options: ResolvedTune,
  index: number,
  whole: TuneState,
  data: DataSummary,
  versions: { softprompt: string; libtorch: string },
): TuneReport {
  const run = options.runs[index] as ResolvedRun
  const state = whole.runs[index] as RunState
  const best = data.validation === null ? undefined : state.best
  const steps = whole.stepOf(state)
  return {
    ...(run.task !== undefined && { task: run.task }),
    steps,
    bestStep: state.kept?.step ?? steps,
    stopped: state.ended?.reason ?? null,
    divergences: state.divergences,
    bestMetric: data.validation === null ? null : options.bestMetric,
    metrics: best?.metrics ?? {},
    history: state.history,
    ...(options.checkpoint?.keep !== undefined && { kept: keptOf(options, index, state) }),
    outcome: best?.outcome ?? null,
    losses: state.losses.points(),
    pace: whole.pace.points(),
    peakRss: process.resourceUsage().maxRSS * 1024,
    seconds: whole.seconds,
    examplesPerSecond: whole.trainingSeconds > 0 ? state.examples / whole.trainingSeconds : 0,
    options: settingsOf(options, run),
    seed: run.seed,
    data,
    versions: { ...versions, node: process.versions.node },
  }
}

function keptOf(options: ResolvedTune, index: number, { saved }: RunState): TuneReport['kept'] {
  return saved.map((one) => ({ ...one, path: keptPath(options, index, one.step) }))
}
