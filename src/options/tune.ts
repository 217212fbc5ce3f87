import { STDIN } from '../data/source.js'
import type { ExampleSource } from '../dataset.js'
import { OptionError } from '../errors.js'
import { higherIsBetter, type MetricChoice, nameOf } from '../metrics/index.js'
import type { NativeLoss, NativeOptimizer } from '../native.js'
import type { SoftPrompt } from '../prompt.js'
import { type PresetName, preset } from '../tune/presets.js'
import { boolean, checkOptions, integer, invalidOption, number, oneOf, seed, signal, text } from './check.js'
import { keepingCheckpoint, type ResolvedCheckpoint, type TuneCheckpointOptions } from './checkpoint.js'
import { checkLoss, type LossOptions } from './loss.js'
import { metricList } from './metrics.js'
import { checkOptimizer, type OptimizerOptions } from './optimizer.js'
import {
  type NewPrompt,
  promptChoice,
  type ResolvedPrompt,
  type ResolvedRun,
  type RunOptions,
  resolvePrompt,
  resolveRun,
  resolveTasks,
  runChoices,
  type TaskPrompts,
} from './prompt.js'

export type { Init, NewPrompt, ResolvedRun, RunOptions, TaskPrompts } from './prompt.js'

/** What `T5.tune` learns from, and how. */
export interface TuneOptions {
  /** A file (.jsonl, .json, .csv, .tsv, .parquet, '-'), or examples, or an (async) iterable of them, or { path, input: 'q: {q}', target: '{a}' }. */
  train: ExampleSource
  /** Where it is given, the prompt with the best `bestMetric` on it is the result. */
  validation?: ExampleSource
  /** Draw this share of the training rows for validation, by the seed; instead of `validation`. */
  validationSplit?: number
  /** A prompt to go on from, or how a new one starts; or `{ tasks, shared }`: a prompt for each task that rows name as their `task`, learned in mixed batches. */
  prompt?: SoftPrompt | NewPrompt | TaskPrompts
  /**
   * Several prompts, trained in one pass over the same batches: each is what it would have been alone with them. `seed`, `learningRate`, `init` and `length` may
   * differ. The result is the best of them, and `result.runs` has all.
   */
  runs?: readonly RunOptions[]
  /** Update steps in all. @defaultValue 1000 */
  steps?: number
  /** Examples a step. @defaultValue 32 */
  batchSize?: number
  /**
   * Rows (of all runs) in one pass through the model: a batch goes through in parts, whose gradients are added up, so that a large one fits the memory.
   * @defaultValue all at once; less where a GPU's memory does not hold them
   */
  microBatchSize?: number
  /** Longer inputs are cut, and keep their `</s>`. @defaultValue 512 */
  maxInputLength?: number
  /** Longer targets are cut, and keep their `</s>`. @defaultValue 128 */
  maxTargetLength?: number
  /**
   * Targets begin with the sentinel <extra_id_0>, for a model trained by span corruption alone (Lester et al. 2021, section 3.2). It is in the outputs' tokens, and
   * not in their text. @defaultValue false
   */
  sentinel?: boolean
  /** A new order of the examples for each pass over them, by the seed. @defaultValue true */
  shuffle?: boolean
  /** Settings for what `optimizer`, `loss` and `dropout` leave open. @defaultValue 'fast' */
  preset?: PresetName
  /** Replaces every update rule of the preset: schedule, warm-up, averaging and decay too. */
  optimizer?: OptimizerOptions
  /** Replaces the preset's whole. */
  loss?: LossOptions
  /** The preset's rule at another rate. Not beside `optimizer`, which has a rate of its own. */
  learningRate?: number
  /** In the frozen model while it trains. @defaultValue the preset's: 0 for 'fast', 0.1 for 'paper' */
  dropout?: number
  /** Steps between evaluations on `validation`. @defaultValue a tenth of the steps, at most 1000 */
  evaluateEvery?: number
  /** Names ('accuracy', 'rougeL', 'f1:yes'; docs/data.md lists all), functions of your own or { name, compute }. @defaultValue ['accuracy'] */
  metrics?: readonly MetricChoice[]
  /** The metric that picks the result. @defaultValue the first of `metrics` */
  bestMetric?: string
  /** Whether the greater value of bestMetric is the better one. @defaultValue as the metric says; true for functions */
  higherIsBetter?: boolean
  /** Stop after so many evaluations in a row without a better one. */
  patience?: number
  /** Seconds after which the training stops, evaluates once more, and gives its result; `report.stopped` is then 'timeLimit'. */
  timeLimit?: number
  /**
   * What happens when a loss or the prompt is no longer finite: the run rejects with TUNE_DIVERGED ('fail'); it stops, and gives its best prompt so far ('stop'); it
   * goes on from that prompt at a tenth of the rate, up to three times ('lowerRate'). The last two also watch for a loss that keeps rising: over twice the lowest
   * so far, and a nat above it, in two windows of steps in a row (docs/tuning.md).
   * @defaultValue 'fail'; with `runs` 'stop' for what is not finite, and the other runs go on
   */
  onDivergence?: OnDivergence
  /**
   * `path`: a file to which the run's whole state is written every `every` steps (at least: at its end), and from which `resume` goes on. With `keep`, the N best
   * prompts of each run (without validation data, those of the N latest checkpoints) stand beside it as files of their own, `path-STEP.safetensors`, and `every`
   * is `evaluateEvery` where it is left out; `report.kept` names them.
   */
  checkpoint?: TuneCheckpointOptions
  /** Go on from the checkpoint, where its file exists; the result is then that of a run that was never interrupted. @defaultValue false */
  resume?: boolean
  /** Same seed, machine and number of threads: same prompt, bit for bit. @defaultValue 0 */
  seed?: number
  /** Kept in the prompt's metadata. @defaultValue named after the training file */
  task?: string
  /** Ends the run: its `result` rejects with the reason, whose `partial` has what was learned until then. */
  signal?: AbortSignal
}

/** What happens when the loss is not finite or keeps rising; see {@link TuneOptions.onDivergence}. */
export type OnDivergence = 'fail' | 'stop' | 'lowerRate'

export interface ResolvedTune extends ResolvedPrompt {
  train: ExampleSource
  validation: ExampleSource | undefined
  validationSplit: number | undefined
  /** One or more; where `several` is false it is the call itself. */
  runs: ResolvedRun[]
  several: boolean
  /** What all tasks share. */
  shared: ResolvedRun | undefined
  /** Update steps in all. */
  steps: number
  /** Examples a step. */
  batchSize: number
  /** 0: automatic. */
  microBatchSize: number
  /** Tokens of the longest input, its `</s>` included. */
  maxInputLength: number
  /** Tokens of the longest target, its `</s>` included. */
  maxTargetLength: number
  /** Whether targets begin with `<extra_id_0>`. */
  sentinel: boolean
  /** Whether each pass over the examples has an order of its own. */
  shuffle: boolean
  /** Whose settings stand where no option was given. */
  preset: PresetName
  optimizer: NativeOptimizer
  /** As it is trained. */
  loss: NativeLoss
  /** In the frozen model while it trains. */
  dropout: number
  evaluateEvery: number
  metrics: readonly MetricChoice[]
  bestMetric: string
  higherIsBetter: boolean
  patience: number | undefined
  timeLimit: number | undefined
  /** Undefined: the default. */
  onDivergence: OnDivergence | undefined
  checkpoint: ResolvedCheckpoint | undefined
  resume: boolean
  /** Of the prompt's start, the batches and the dropout. */
  seed: number
  task: string | undefined
  signal: AbortSignal | undefined
}

const anything = (value: unknown) => value as ExampleSource

const CHECKS = {
  train: anything,
  validation: anything,
  validationSplit: number({ above: 0, below: 1 }),
  prompt: promptChoice,
  runs: runChoices,
  steps: integer(1),
  batchSize: integer(1),
  microBatchSize: integer(1),
  maxInputLength: integer(1),
  maxTargetLength: integer(1),
  sentinel: boolean,
  shuffle: boolean,
  preset: oneOf('fast', 'paper'),
  optimizer: checkOptimizer,
  loss: checkLoss,
  learningRate: number({ above: 0 }),
  dropout: number({ min: 0, below: 1 }),
  evaluateEvery: integer(1),
  metrics: metricList,
  bestMetric: text,
  higherIsBetter: boolean,
  patience: integer(1),
  timeLimit: number({ above: 0 }),
  onDivergence: oneOf('fail', 'stop', 'lowerRate'),
  checkpoint: keepingCheckpoint,
  resume: boolean,
  seed,
  task: text,
  signal,
}

/** Everything that a run needs to know, with presets and defaults resolved. */
export function resolveTune(given: unknown): ResolvedTune {
  const options = checkOptions('tune', given, CHECKS)
  if (options.train === undefined)
    throw new OptionError('OPTION_INVALID', "tune: option 'train' is missing. Give a file or examples { input, target }.")
  const steps = options.steps ?? 1000
  const base = preset(options.preset ?? 'fast', steps)
  const evaluateEvery = options.evaluateEvery ?? Math.min(1000, Math.ceil(steps / 10))
  const metrics = options.metrics ?? ['accuracy']
  const bestMetric = bestOf(metrics, options.bestMetric)
  if (options.patience !== undefined && options.validation === undefined && options.validationSplit === undefined) {
    throw new OptionError('OPTION_INVALID', "Option 'patience' needs validation data: give 'validation' or 'validationSplit' too.")
  }
  if (options.validation !== undefined && options.validationSplit !== undefined)
    throw new OptionError('OPTION_INVALID', "Options 'validation' and 'validationSplit' were both given. Give one of them.")
  if (isStdin(options.train) && isStdin(options.validation))
    throw new OptionError(
      'OPTION_INVALID',
      "Options 'train' and 'validation' are both standard input ('-'), which can be read once. Give one of them as a file, or 'validationSplit'.",
    )
  if (options.optimizer && options.learningRate !== undefined) {
    throw new OptionError('OPTION_INVALID', "Options 'optimizer' and 'learningRate' were both given. Put the rate into 'optimizer'.")
  }
  if (options.resume && !options.checkpoint)
    throw new OptionError('OPTION_INVALID', "Option 'resume' needs 'checkpoint': { path } to go on from.")
  const prompt = resolvePrompt(options.prompt)
  const optimizer = options.optimizer ?? { ...base.optimizer, learningRate: options.learningRate ?? base.optimizer.learningRate }
  const run: ResolvedRun = { ...prompt, seed: options.seed ?? 0, learningRate: optimizer.learningRate }
  const tasks = resolveTasks(options.prompt, run)
  if (tasks && options.runs)
    throw new OptionError(
      'OPTION_INVALID',
      "Options 'runs' and 'prompt.tasks' were both given. Tune the tasks, or one of them in several runs.",
    )
  return {
    train: options.train,
    validation: options.validation,
    validationSplit: options.validationSplit,
    ...prompt,
    runs: tasks?.runs ?? options.runs?.map((own) => resolveRun(own, run)) ?? [run],
    several: tasks !== undefined || options.runs !== undefined,
    shared: tasks?.shared,
    steps,
    batchSize: options.batchSize ?? 32,
    microBatchSize: options.microBatchSize ?? 0,
    maxInputLength: options.maxInputLength ?? 512,
    maxTargetLength: options.maxTargetLength ?? 128,
    sentinel: options.sentinel ?? false,
    shuffle: options.shuffle ?? true,
    preset: options.preset ?? 'fast',
    optimizer,
    loss: options.loss ?? base.loss,
    dropout: options.dropout ?? base.dropout,
    evaluateEvery,
    metrics,
    bestMetric,
    higherIsBetter: options.higherIsBetter ?? higherIsBetter(metrics, bestMetric),
    patience: options.patience,
    timeLimit: options.timeLimit,
    onDivergence: options.onDivergence,
    checkpoint: options.checkpoint && { every: options.checkpoint.keep === undefined ? steps : evaluateEvery, ...options.checkpoint },
    resume: options.resume ?? false,
    seed: run.seed,
    task: options.task ?? taskOfSource(options.train),
    signal: options.signal,
  }
}

/** A function may give numbers under names of its own, which are only known when it has run. */
export function bestOf(metrics: readonly MetricChoice[], wanted: string | undefined): string {
  const names = metrics.map(nameOf)
  const known =
    wanted === undefined ||
    names.includes(wanted) ||
    metrics.some((metric) => typeof metric !== 'string' || /^(cb|multirc|record)\b/.test(metric))
  if (!known) throw invalidOption('bestMetric', wanted, `one of the metrics: ${names.join(', ')}`)
  return wanted ?? (names[0] as string)
}

function isStdin(source: ExampleSource | undefined): boolean {
  return source !== undefined && pathOf(source) === STDIN
}

function pathOf(source: ExampleSource): unknown {
  return typeof source === 'object' && source !== null && 'path' in source ? source.path : source
}

function taskOfSource(source: ExampleSource): string | undefined {
  const path = pathOf(source)
  return typeof path === 'string' && path !== STDIN ? taskOf(path) : undefined
}

/** 'data/snips/train.jsonl' is about snips, 'reviews.jsonl' about reviews. */
function taskOf(path: string): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '')
  const name = (parts.at(-1) ?? '').split('.')[0] as string
  return /^(train|training|data)$/i.test(name) ? (parts.at(-2) ?? name) : name
}
