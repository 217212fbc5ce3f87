import type { ExampleSource } from '../dataset.js'
import { higherIsBetter, type MetricChoice, nameOf } from '../metrics/index.js'
import { boolean, checkOptions, integer, number, strings, text } from './check.js'
import { metricList } from './metrics.js'
import { T5_FINETUNING } from './model-optimizer.js'
import { type ResolvedTraining, resolveTraining, TRAINING_CHECKS, type TrainingOptions, wrong } from './training.js'
import { bestOf } from './tune.js'

/** What `T5.finetune` learns from, and how. */
export interface FinetuneOptions extends TrainingOptions {
  /** A file (.jsonl, .json, .csv, .tsv, .parquet, '-'), or examples, or an (async) iterable of them, or { path, input: 'q: {q}', target: '{a}' }. */
  train: ExampleSource
  /** Where it is given, the weights with the best `bestMetric` on it are the result. */
  validation?: ExampleSource
  /** Draw this share of the training rows for validation, by the seed; instead of `validation`. */
  validationSplit?: number
  /** Longer inputs are cut, and keep their `</s>`. @defaultValue 512 */
  maxInputLength?: number
  /** Longer targets are cut, and keep their `</s>`. @defaultValue 128 */
  maxTargetLength?: number
  /**
   * Several tasks in one model: each row names its `task`, whose name goes in front of its input ('reviews: a warm film'), as T5 has it. Metrics are then each
   * task's own ('reviews.accuracy') and, under their plain names, the mean over the tasks.
   */
  tasks?: readonly string[]
  /**
   * Targets begin with the sentinel `<extra_id_0>`, as all targets did that a model trained by span corruption alone has seen (Lester et al. 2021, section 3.2). It is
   * in the outputs' tokens, and not in their text. @defaultValue false
   */
  sentinel?: boolean
  /** Names ('accuracy', 'rougeL', 'f1:yes'; docs/data.md lists all), functions of your own or { name, compute }. @defaultValue ['accuracy'] */
  metrics?: readonly MetricChoice[]
  /** The metric that picks the result. @defaultValue the first of `metrics` */
  bestMetric?: string
  /** Whether the greater value of bestMetric is the better one. @defaultValue as the metric says; true for functions */
  higherIsBetter?: boolean
}

export interface ResolvedFinetune extends ResolvedTraining {
  train: ExampleSource
  validation: ExampleSource | undefined
  validationSplit: number | undefined
  maxInputLength: number
  maxTargetLength: number
  tasks: readonly string[] | undefined
  sentinel: boolean
  metrics: readonly MetricChoice[]
  bestMetric: string
  higherIsBetter: boolean
}

const anything = (value: unknown) => value as ExampleSource

const CHECKS = {
  ...TRAINING_CHECKS,
  train: anything,
  validation: anything,
  validationSplit: number({ above: 0, below: 1 }),
  maxInputLength: integer(1),
  maxTargetLength: integer(2),
  tasks: strings,
  sentinel: boolean,
  metrics: metricList,
  bestMetric: text,
  higherIsBetter: boolean,
}

/** Everything that a run needs to know. The defaults are Lester et al.'s model tuning: Adafactor at 0.001 with parameter scaling, dropout 0.1. */
export function resolveFinetune(given: unknown): ResolvedFinetune {
  const options = checkOptions('finetune', given, CHECKS)
  if (options.train === undefined) throw wrong("finetune: option 'train' is missing. Give a file or examples { input, target }.")
  if (options.validation !== undefined && options.validationSplit !== undefined)
    throw wrong("Options 'validation' and 'validationSplit' were both given. Give one of them.")
  const metrics = options.metrics ?? ['accuracy']
  const names = options.tasks?.flatMap((task) => metrics.map((metric) => `${task}.${nameOf(metric)}`))
  const ofTask = options.bestMetric !== undefined && names?.includes(options.bestMetric)
  const bestMetric = ofTask ? (options.bestMetric as string) : bestOf(metrics, options.bestMetric)
  const plain = ofTask ? bestMetric.slice(bestMetric.indexOf('.') + 1) : bestMetric
  const measured = options.validation !== undefined || options.validationSplit !== undefined
  return {
    ...resolveTraining(options, { optimizer: T5_FINETUNING, dropout: 0.1 }, measured),
    train: options.train,
    validation: options.validation,
    validationSplit: options.validationSplit,
    maxInputLength: options.maxInputLength ?? 512,
    maxTargetLength: options.maxTargetLength ?? 128,
    tasks: options.tasks,
    sentinel: options.sentinel ?? false,
    ...{ metrics, bestMetric, higherIsBetter: options.higherIsBetter ?? higherIsBetter(metrics, plain) },
  }
}
