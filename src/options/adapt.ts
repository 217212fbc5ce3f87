import type { ObjectiveName } from '../objectives/objective.js'
import { T5_SPANS } from '../objectives/span-corruption.js'
import { checkText, type TextFiles, type TextSource } from '../text/source.js'
import { checkOptions, integer, invalidOption, isObject, listOf, number, oneOf } from './check.js'
import { T5_FINETUNING, T5_PRETRAINING } from './model-optimizer.js'
import { type ResolvedTraining, resolveTraining, TRAINING_CHECKS, type TrainingOptions, wrong } from './training.js'

/** What `T5.adapt` learns from, and how. */
export interface AdaptOptions extends TrainingOptions {
  /** What to learn from: a file or folder (.txt, .jsonl, .json, .csv, .tsv, .parquet; '-'), documents in an array or (async) iterable, or { path, column, documents }. */
  text: TextSource
  /** Where it is given, the weights with the lowest loss on it are the result. */
  validation?: TextSource
  /** Draw this share of the windows for validation, by the seed; instead of `validation`. Not for text that is read as it comes. */
  heldOut?: number
  /** One objective, or the share of each: { 'prefix-lm': 0.5, 'span-corruption': 0.5 }. @defaultValue 'prefix-lm' */
  objective?: ObjectiveName | Partial<Record<ObjectiveName, number>>
  /** Tokens of the longest input, its `</s>` included. @defaultValue 512 */
  windowLength?: number
  /** What span corruption takes out. @defaultValue { noiseDensity: 0.15, meanSpanLength: 3 } */
  spans?: {
    /** The share of the tokens that is taken out. */
    noiseDensity?: number
    /** Tokens of a span, on average. */
    meanSpanLength?: number
  }
  /** Ids of the sentinels, for a model whose tokenizer does not name them `<extra_id_0>`, `<extra_id_1>` ... */
  sentinels?: readonly number[]
  /** Windows among which the next is drawn, of text that is not held in memory. @defaultValue 4096 */
  shuffleBuffer?: number
  /**
   * What `optimizer` is where it is left out. 'adaptation': Adafactor at 0.001; 'pretraining': Adafactor by T5's schedule, 0.01 for 10,000 steps.
   * @defaultValue 'pretraining' for a model that `T5.create` made, else 'adaptation'
   */
  preset?: AdaptPreset
}

/** For a model that knows its language already, or for one that knows nothing yet. */
export type AdaptPreset = 'adaptation' | 'pretraining'

export interface ResolvedAdapt extends ResolvedTraining {
  text: TextFiles
  validation: TextFiles | undefined
  heldOut: number | undefined
  /** In [0, 1]; the two sum to 1. */
  shares: Record<ObjectiveName, number>
  windowLength: number
  spans: { noiseDensity: number; meanSpanLength: number }
  sentinels: readonly number[] | undefined
  shuffleBuffer: number
  preset: AdaptPreset
}

const OBJECTIVES = ['prefix-lm', 'span-corruption'] as const

const CHECKS = {
  ...TRAINING_CHECKS,
  text: checkText,
  validation: checkText,
  heldOut: number({ above: 0, below: 1 }),
  objective: objectiveShares,
  windowLength: integer(4),
  spans: (value: unknown, name: string) =>
    checkOptions('adapt', value, { noiseDensity: number({ above: 0, below: 1 }), meanSpanLength: number({ min: 1 }) }, `${name}.`),
  sentinels: listOf(integer(0), 'token ids'),
  shuffleBuffer: integer(1),
  preset: oneOf('adaptation', 'pretraining'),
}

/** Everything that a run needs to know. `isNew`: the model has learned nothing yet. */
export function resolveAdapt(given: unknown, isNew = false): ResolvedAdapt {
  const options = checkOptions('adapt', given, CHECKS)
  if (options.text === undefined) throw wrong("adapt: option 'text' is missing. Give a file or folder, or documents.")
  if (options.validation !== undefined && options.heldOut !== undefined)
    throw wrong("Options 'validation' and 'heldOut' were both given. Give one of them.")
  const preset = options.preset ?? (isNew ? 'pretraining' : 'adaptation')
  const optimizer = preset === 'pretraining' ? T5_PRETRAINING : T5_FINETUNING
  return {
    ...resolveTraining(options, { optimizer, dropout: 0 }, options.validation !== undefined || options.heldOut !== undefined),
    text: options.text,
    validation: options.validation,
    heldOut: options.heldOut,
    shares: options.objective ?? { 'prefix-lm': 1, 'span-corruption': 0 },
    windowLength: options.windowLength ?? 512,
    spans: { ...T5_SPANS, ...options.spans },
    sentinels: options.sentinels,
    shuffleBuffer: options.shuffleBuffer ?? 4096,
    preset,
  }
}

function objectiveShares(value: unknown, name: string): Record<ObjectiveName, number> {
  const allowed = "'prefix-lm', 'span-corruption', or the share of each, as in { 'prefix-lm': 0.5, 'span-corruption': 0.5 }"
  if (typeof value === 'string') {
    if (!(OBJECTIVES as readonly string[]).includes(value)) throw invalidOption(name, value, allowed)
    return { 'prefix-lm': 0, 'span-corruption': 0, [value]: 1 }
  }
  if (!isObject(value)) throw invalidOption(name, value, allowed)
  const share = number({ min: 0 })
  const given = checkOptions('adapt', value, { 'prefix-lm': share, 'span-corruption': share }, `${name}.`)
  const [prefix, spans] = OBJECTIVES.map((objective) => given[objective] ?? 0) as [number, number]
  if (prefix + spans === 0) throw invalidOption(name, value, allowed)
  return { 'prefix-lm': prefix / (prefix + spans), 'span-corruption': spans / (prefix + spans) }
}
