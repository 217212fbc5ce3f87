import type { DataSummary } from '../dataset.js'
import { nameOf } from '../metrics/index.js'
import type { NativeOptimizer } from '../native.js'
import type { LossOptions } from '../options/loss.js'
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
  history: EvaluationPoint[]
  /** With the checkpoint's `keep`: the prompts that are kept as files, the best first (without validation data the latest). */
  kept?: KeptPrompt[]
  /** What the result got right and wrong on the validation data; null without. */
  outcome: TuneOutcome | null
  /** The training loss over the run, in at most 500 means of neighbouring steps, each at its last step; beside it the rate, and the gradient's L2 norm. */
  losses: LossPoint[]
  /** Likewise the speed of the training, and the bytes of memory that the process held. */
  pace: PacePoint[]
  /** The most bytes of memory that the process has held in its life, by the system's account. */
  peakRss: number
  /** Spent on training and evaluating, an earlier part of a resumed run included. */
  seconds: number
  /** Of the training alone. */
  examplesPerSecond: number
  /** What the run was told to do, with presets and defaults resolved. */
  options: TuneSettings
  /** The run's own. */
  seed: number
  /** What the data was like. */
  data: DataSummary
  /** What it was made with. */
  versions: Versions
}

/** An evaluation of a run. */
export interface EvaluationPoint {
  /** Steps done. */
  step: number
  /** Each metric by its name. */
  metrics: Record<string, number>
}

/** A prompt that was kept as a file. */
export interface KeptPrompt extends EvaluationPoint {
  /** The file. */
  path: string
}

/** A point of the training loss's curve: means over neighbouring steps. */
export interface LossPoint {
  /** The last of the steps. */
  step: number
  /** Cross entropy in nats, the mean over target tokens. */
  loss: number
  /** What the steps were taken at. */
  learningRate: number
  /** L2 norm of the gradient. */
  gradientNorm: number
}

/** A point of the curves of speed and memory: means over neighbouring steps. */
export interface PacePoint {
  /** The last of the steps. */
  step: number
  /** Of the training alone. */
  examplesPerSecond: number
  /** Bytes of memory that the process held. */
  rss: number
}

/** What a run was made with. */
export interface Versions {
  /** This package's. */
  softprompt: string
  /** LibTorch's. */
  libtorch: string
  /** Node's. */
  node: string
}

/** How a prompt began, as plain data: another prompt by its name. */
export type PlainInit =
  | string
  | {
      /** Drawn from [low, high). */
      uniform: readonly [low: number, high: number]
    }
  | {
      /** Of the task. */
      labels: string[]
    }
  | {
      /** Whose tokens it began as. */
      text: string
    }
  | {
      /** 'given': its numbers are not kept here. */
      prompt: string
    }
  | {
      /** How many: '3 given'. */
      mean: string
    }

/** The part of a run's options that is plain data. */
export interface TuneSettings
  extends Pick<
    ResolvedTune,
    'preset' | 'steps' | 'batchSize' | 'length' | 'shuffle' | 'dropout' | 'seed' | 'maxInputLength' | 'maxTargetLength'
  > {
  /** Where the prompt began; of tasks that share rows, both parts. */
  init:
    | PlainInit
    | {
        /** Of the rows in front of all tasks' own. */
        shared: PlainInit
        /** Of the task's own. */
        own: PlainInit
      }
  /** As it was trained. */
  loss: Required<LossOptions>
  /** The update rule, with what matters to it. */
  optimizer: Record<string, string | number>
  /** Steps between evaluations. */
  evaluateEvery: number
  /** Names of the metrics. */
  metrics: string[]
  /** The one that picked the result. */
  bestMetric: string
  /** Evaluations without a better one after which it stops. */
  patience?: number
  /** The share of the training rows that was drawn for validation. */
  validationSplit?: number
  /** Targets began with `<extra_id_0>`. */
  sentinel?: boolean
  /** Rows in one pass. */
  microBatchSize?: number
  /** Of the rows in front of all tasks' own. */
  sharedLength?: number
  /** Seconds. */
  timeLimit?: number
  /** What was to happen when the loss is not finite or keeps rising. */
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
