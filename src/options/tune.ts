import type { ExampleSource } from '../dataset.js'
import { OptionError } from '../errors.js'
import { higherIsBetter, type MetricChoice, nameOf } from '../metrics/index.js'
import type { NativeLoss, NativeOptimizer } from '../native.js'
import { SoftPrompt } from '../prompt.js'
import { type PresetName, preset } from '../tune/presets.js'
import { boolean, checkOptions, integer, invalidOption, isObject, number, oneOf, seed, show, signal, strings, text } from './check.js'
import { checkLoss, type LossOptions } from './loss.js'
import { metricList } from './metrics.js'
import { checkOptimizer, type OptimizerOptions } from './optimizer.js'

/**
 * Where a prompt starts (Lester et al. 2021, section 3.2): rows sampled from the first 5,000 of the vocabulary's embeddings; uniform in [-0.5, 0.5); the mean
 * embedding of each label's pieces, filled up from the vocabulary; a text's embeddings, filled up likewise; another prompt, cut or filled up.
 */
export type Init = 'vocabulary' | 'uniform' | { labels: string[] } | { text: string } | { prompt: SoftPrompt }

export interface NewPrompt {
  /** Rows of the prompt. @defaultValue 100 (with `init: { prompt }`: as many as that has) */
  length?: number
  /** @defaultValue 'vocabulary' */
  init?: Init
}

export interface TuneOptions {
  /** A file (.jsonl, .json, .csv, .tsv, .parquet, '-'), or examples, or an (async) iterable of them, or { path, input: 'q: {q}', target: '{a}' }. */
  train: ExampleSource
  /** Where it is given, the prompt with the best `bestMetric` on it is the result. */
  validation?: ExampleSource
  /** Draw this share of the training rows for validation, by the seed; instead of `validation`. */
  validationSplit?: number
  /** A prompt to go on from, or how a new one starts. */
  prompt?: SoftPrompt | NewPrompt
  /** @defaultValue 1000 */
  steps?: number
  /** @defaultValue 32 */
  batchSize?: number
  /** Longer inputs are cut, and keep their </s>. @defaultValue 512 */
  maxInputLength?: number
  /** @defaultValue 128 */
  maxTargetLength?: number
  /** @defaultValue true */
  shuffle?: boolean
  /** Settings for what `optimizer`, `loss` and `dropout` leave open. @defaultValue 'fast' */
  preset?: PresetName
  /** Replaces every update rule of the preset: schedule, warm-up, averaging and decay too. */
  optimizer?: OptimizerOptions
  /** Replaces the preset's whole. */
  loss?: LossOptions
  /** The preset's rule at another rate. Not beside `optimizer`, which has a rate of its own. */
  learningRate?: number
  /** In the frozen model while it trains. */
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
  /** A file to which the run's whole state is written every `every` steps (at least: at its end), and from which `resume` goes on. */
  checkpoint?: { path: string; every?: number }
  /** Go on from the checkpoint, where its file exists; the result is then that of a run that was never interrupted. @defaultValue false */
  resume?: boolean
  /** Same seed, machine and number of threads: same prompt, bit for bit. @defaultValue 0 */
  seed?: number
  /** Kept in the prompt's metadata. @defaultValue named after the training file */
  task?: string
  signal?: AbortSignal
}

export interface ResolvedTune {
  train: ExampleSource
  validation: ExampleSource | undefined
  validationSplit: number | undefined
  prompt: SoftPrompt | undefined
  length: number
  init: Init
  steps: number
  batchSize: number
  maxInputLength: number
  maxTargetLength: number
  shuffle: boolean
  preset: PresetName
  optimizer: NativeOptimizer
  loss: NativeLoss
  dropout: number
  evaluateEvery: number
  metrics: readonly MetricChoice[]
  bestMetric: string
  higherIsBetter: boolean
  patience: number | undefined
  checkpoint: { path: string; every: number } | undefined
  resume: boolean
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
  steps: integer(1),
  batchSize: integer(1),
  maxInputLength: integer(1),
  maxTargetLength: integer(1),
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
  checkpoint: checkpointChoice,
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
  const metrics = options.metrics ?? ['accuracy']
  const bestMetric = bestOf(metrics, options.bestMetric)
  if (options.patience !== undefined && options.validation === undefined && options.validationSplit === undefined) {
    throw new OptionError('OPTION_INVALID', "Option 'patience' needs validation data: give 'validation' or 'validationSplit' too.")
  }
  if (options.validation !== undefined && options.validationSplit !== undefined)
    throw new OptionError('OPTION_INVALID', "Options 'validation' and 'validationSplit' were both given. Give one of them.")
  if (options.optimizer && options.learningRate !== undefined) {
    throw new OptionError('OPTION_INVALID', "Options 'optimizer' and 'learningRate' were both given. Put the rate into 'optimizer'.")
  }
  if (options.resume && !options.checkpoint)
    throw new OptionError('OPTION_INVALID', "Option 'resume' needs 'checkpoint': { path } to go on from.")
  return {
    train: options.train,
    validation: options.validation,
    validationSplit: options.validationSplit,
    ...promptOf(options.prompt),
    steps,
    batchSize: options.batchSize ?? 32,
    maxInputLength: options.maxInputLength ?? 512,
    maxTargetLength: options.maxTargetLength ?? 128,
    shuffle: options.shuffle ?? true,
    preset: options.preset ?? 'fast',
    optimizer: options.optimizer ?? { ...base.optimizer, learningRate: options.learningRate ?? base.optimizer.learningRate },
    loss: options.loss ?? base.loss,
    dropout: options.dropout ?? base.dropout,
    evaluateEvery: options.evaluateEvery ?? Math.min(1000, Math.ceil(steps / 10)),
    metrics,
    bestMetric,
    higherIsBetter: options.higherIsBetter ?? higherIsBetter(metrics, bestMetric),
    patience: options.patience,
    checkpoint: options.checkpoint && { every: steps, ...options.checkpoint },
    resume: options.resume ?? false,
    seed: options.seed ?? 0,
    task: options.task ?? taskOfSource(options.train),
    signal: options.signal,
  }
}

/** A function may give numbers under names of its own, which are only known when it has run. */
function bestOf(metrics: readonly MetricChoice[], wanted: string | undefined): string {
  const names = metrics.map(nameOf)
  const known =
    wanted === undefined ||
    names.includes(wanted) ||
    metrics.some((metric) => typeof metric !== 'string' || /^(cb|multirc|record)\b/.test(metric))
  if (!known) throw invalidOption('bestMetric', wanted, `one of the metrics: ${names.join(', ')}`)
  return wanted ?? (names[0] as string)
}

const DEFAULT_LENGTH = 100

function promptOf(choice: SoftPrompt | NewPrompt | undefined): Pick<ResolvedTune, 'prompt' | 'length' | 'init'> {
  if (choice instanceof SoftPrompt) return { prompt: choice, length: choice.rows, init: { prompt: choice } }
  const init = choice?.init ?? 'vocabulary'
  const source = typeof init === 'object' && 'prompt' in init ? init.prompt : undefined
  return { prompt: source, length: choice?.length ?? source?.rows ?? DEFAULT_LENGTH, init }
}

function promptChoice(value: unknown, name: string): SoftPrompt | NewPrompt {
  if (value instanceof SoftPrompt) return value
  if (!isObject(value)) throw invalidOption(name, value, 'a SoftPrompt or { length, init }')
  return checkOptions('tune', value, { length: integer(1), init: initChoice }, `${name}.`)
}

const INIT_ALLOWED = "'vocabulary', 'uniform', { labels: [...] }, { text: '...' } or { prompt: SoftPrompt }"

function initChoice(value: unknown, name: string): Init {
  if (value === 'vocabulary' || value === 'uniform') return value
  if (!isObject(value) || Object.keys(value).length !== 1) throw invalidOption(name, value, INIT_ALLOWED)
  if ('labels' in value) return { labels: strings(value.labels, `${name}.labels`) }
  if ('text' in value) return { text: text(value.text, `${name}.text`) }
  if (value.prompt instanceof SoftPrompt) return { prompt: value.prompt }
  throw invalidOption(name, value, INIT_ALLOWED)
}

function checkpointChoice(value: unknown, name: string): { path: string; every?: number } {
  const { path, every } = checkOptions('tune', value, { path: text, every: integer(1) }, `${name}.`)
  if (path === undefined)
    throw invalidOption(`${name}.path`, path, `the path of a file, as in { path: 'run.ckpt', every: 100 } (got ${show(value)})`)
  return every === undefined ? { path } : { path, every }
}

function taskOfSource(source: ExampleSource): string | undefined {
  const path = typeof source === 'object' && 'path' in source ? source.path : source
  return typeof path === 'string' && path !== '-' ? taskOf(path) : undefined
}

/** 'data/snips/train.jsonl' is about snips, 'reviews.jsonl' about reviews. */
function taskOf(path: string): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '')
  const name = (parts.at(-1) ?? '').split('.')[0] as string
  return /^(train|training|data)$/i.test(name) ? (parts.at(-2) ?? name) : name
}
