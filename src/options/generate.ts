import { randomInt } from 'node:crypto'
import { type AnyPrompt, anyPromptOption } from '../prompt.js'
import type { Ids } from '../tokenizer/tokenizer.js'
import {
  boolean,
  type Check,
  checkOptions,
  integer,
  invalidOption,
  listOf,
  number,
  seed,
  signal,
  strings,
  unsupportedOption,
} from './check.js'

/** How an output is made (docs/decoding.md has the formulas). A row's own options win over those of the call. */
export interface GenerateOptions {
  /** The soft prompt in front of the input; null for none. */
  prompt?: AnyPrompt | null
  /** The longest output, in tokens, `</s>` included. @defaultValue 128 */
  maxNewTokens?: number
  /** `</s>` cannot come out before so many tokens. At most `maxNewTokens`. @defaultValue 0 */
  minNewTokens?: number

  /** How many outputs beam search pursues side by side; 1 is greedy decoding. Not together with `doSample`. @defaultValue 1 */
  numBeams?: number
  /** Beam search compares finished outputs by log-probability / length^lengthPenalty: above 0 favours long ones. @defaultValue 1 */
  lengthPenalty?: number
  /**
   * When beam search ends, once it has `numBeams` finished outputs: at once (true), when by a rule of thumb no running one can become better (false), or when
   * none can ('never'). @defaultValue false
   */
  earlyStopping?: boolean | 'never'
  /** So many outputs for each query: samples, or the best of the beams (at most `numBeams`). @defaultValue 1 */
  numReturnSequences?: number

  /** Draw each token by its probability instead of taking the likeliest. @defaultValue false */
  doSample?: boolean
  /** Sampling: logits are divided by it; below 1 sharpens, above 1 flattens. Above 0. @defaultValue 1 */
  temperature?: number
  /** Sampling: only among the so many likeliest tokens; 0 for all. @defaultValue 0 */
  topK?: number
  /** Sampling: only among the fewest likeliest tokens that have this share of the probability. Above 0, at most 1. @defaultValue 1 */
  topP?: number
  /**
   * Sampling: the same seed gives the same outputs. A row draws by the call's seed and its place in the call, or by its own seed alone.
   * @defaultValue another one each time
   */
  seed?: number

  /** Logits of tokens that the output has already are divided by it (multiplied where negative): above 1 discourages repetition. @defaultValue 1 */
  repetitionPenalty?: number
  /** No sequence of so many tokens comes out twice; 0 for no such rule. @defaultValue 0 */
  noRepeatNgramSize?: number
  /** Texts (or token ids) whose tokens do not come out, one after another. The same text in other tokens still may. */
  badWords?: readonly (string | Ids)[]
  /** Texts that end the output and are kept out of it; `finishReason` is then 'stop'. */
  stop?: string[]
  /** Only these texts (or token ids) can come out, each with its `</s>`. Not together with `stop`. */
  labels?: readonly (string | Ids)[]
  /** Ends the call, or this row of it: it rejects with the reason. */
  signal?: AbortSignal
}

/** Every option with its value. `seed` and `place` are what a row's random numbers follow from. */
export interface ResolvedGenerate {
  prompt: AnyPrompt | null
  maxNewTokens: number
  minNewTokens: number
  numBeams: number
  lengthPenalty: number
  earlyStopping: boolean | 'never'
  numReturnSequences: number
  doSample: boolean
  temperature: number
  topK: number
  topP: number
  seed: number
  place: number
  repetitionPenalty: number
  noRepeatNgramSize: number
  badWords: readonly (string | Ids)[] | undefined
  labels: readonly (string | Ids)[] | undefined
  stop: readonly string[]
  signal: AbortSignal | undefined
}

/** More outputs of one row than anybody reads; a row's streams of random numbers are numbered in 20 bits. */
const MOST_SEQUENCES = 2 ** 20

const CHECKS = {
  prompt: anyPromptOption,
  maxNewTokens: integer(1),
  minNewTokens: integer(0),
  numBeams: integer(1, MOST_SEQUENCES),
  lengthPenalty: number(),
  earlyStopping,
  numReturnSequences: integer(1, MOST_SEQUENCES),
  doSample: boolean,
  temperature: number({ above: 0 }),
  topK: integer(0),
  topP: number({ above: 0, max: 1 }),
  seed,
  repetitionPenalty: number({ above: 0 }),
  noRepeatNgramSize: integer(0),
  badWords: emptyOr(listOf(textOrIds, 'texts')),
  labels: listOf(textOrIds, 'texts'),
  stop: emptyOr(strings),
  signal,
}

/** Options of a call, checked; `undefined` where nothing was given, so that a row's can be laid over them. */
export function checkGenerate(call: string, given: unknown) {
  return checkOptions(call, given, CHECKS)
}

export type CheckedGenerate = ReturnType<typeof checkGenerate>

const DEFAULTS = {
  prompt: null,
  maxNewTokens: 128,
  minNewTokens: 0,
  numBeams: 1,
  lengthPenalty: 1,
  earlyStopping: false,
  numReturnSequences: 1,
  doSample: false,
  temperature: 1,
  topK: 0,
  topP: 1,
  seed: 0,
  place: 0,
  repetitionPenalty: 1,
  noRepeatNgramSize: 0,
  badWords: undefined,
  labels: undefined,
  stop: [],
  signal: undefined,
} satisfies ResolvedGenerate

/** A row's own options over those of the call, with the defaults. `place` is the row's among those that draw by the call's seed. */
export function resolveGenerate(ofCall: CheckedGenerate, ofRow: CheckedGenerate = {}, place = 0): ResolvedGenerate {
  const drawn = ofRow.seed === undefined ? { place } : { place: 0 }
  const resolved: ResolvedGenerate = { ...DEFAULTS, ...ofCall, ...ofRow, ...drawn }
  refuseContradictions(resolved)
  return resolved
}

/** The seed of a call that has none. */
export function freshSeed(): number {
  return randomInt(2 ** 48 - 1)
}

function refuseContradictions(options: ResolvedGenerate): void {
  const { maxNewTokens, minNewTokens, numBeams, numReturnSequences, doSample, labels, stop } = options
  if (minNewTokens > maxNewTokens) throw invalidOption('minNewTokens', minNewTokens, `at most maxNewTokens (${maxNewTokens})`)
  if (doSample && numBeams > 1)
    throw unsupportedOption(
      'doSample',
      `sampling and beam search do not go together; set doSample false, or numBeams 1 (it is ${numBeams}).`,
    )
  if (!doSample && numReturnSequences > numBeams)
    throw invalidOption('numReturnSequences', numReturnSequences, `at most numBeams (${numBeams}), unless doSample is true`)
  if (labels && stop.length > 0)
    throw invalidOption('stop', stop, "left out where 'labels' are given: a label that was cut would be none of them")
  if (labels && !doSample && numReturnSequences > labels.length)
    throw invalidOption('numReturnSequences', numReturnSequences, `at most the number of labels (${labels.length})`)
}

function earlyStopping(value: unknown, name: string): boolean | 'never' {
  if (typeof value !== 'boolean' && value !== 'never') throw invalidOption(name, value, "true, false or 'never'")
  return value
}

function textOrIds(value: unknown, name: string): string | Ids {
  const isIds = value instanceof Int32Array || (Array.isArray(value) && value.every((id) => typeof id === 'number'))
  if ((typeof value !== 'string' && !isIds) || value.length === 0) throw invalidOption(name, value, 'a string or token ids, and not empty')
  return value as string | Ids
}

function emptyOr<T>(check: Check<T[]>): Check<T[]> {
  return (value, name) => (Array.isArray(value) && value.length === 0 ? [] : check(value, name))
}
