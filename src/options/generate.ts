import { promptOption, type SoftPrompt } from '../prompt.js'
import { boolean, checkOptions, integer, invalidOption, number, seed, signal, strings, unsupportedOption } from './check.js'

/** How an output is made. A row's own options win over those of the call. */
export interface GenerateOptions {
  /** The soft prompt in front of the input; null for none. */
  prompt?: SoftPrompt | null
  /** @defaultValue 128 */
  maxNewTokens?: number
  /** </s> cannot come out before so many tokens. @defaultValue 0 */
  minNewTokens?: number
  /** Texts that end the output and are kept out of it; `finishReason` is then 'stop'. */
  stop?: string[]
  signal?: AbortSignal
  /** Only 1 (greedy decoding) is implemented. */
  numBeams?: number
  lengthPenalty?: number
  earlyStopping?: boolean
  /** Only 1 is implemented. */
  numReturnSequences?: number
  /** Only false is implemented. */
  doSample?: boolean
  temperature?: number
  topK?: number
  topP?: number
  seed?: number
  /** Only 1 is implemented. */
  repetitionPenalty?: number
  /** Only 0 is implemented. */
  noRepeatNgramSize?: number
  /** Not implemented yet. */
  badWords?: string[]
  /** Not implemented yet: `classify` picks one of several labels. */
  labels?: string[]
}

export interface ResolvedGenerate {
  prompt: SoftPrompt | null
  maxNewTokens: number
  minNewTokens: number
  stop: readonly string[]
  signal: AbortSignal | undefined
}

const CHECKS = {
  prompt: promptOption,
  maxNewTokens: integer(1),
  minNewTokens: integer(0),
  stop: stopTexts,
  signal,
  numBeams: integer(1),
  lengthPenalty: number(),
  earlyStopping: boolean,
  numReturnSequences: integer(1),
  doSample: boolean,
  temperature: number({ above: 0 }),
  topK: integer(0),
  topP: number({ above: 0, max: 1 }),
  seed,
  repetitionPenalty: number({ above: 0 }),
  noRepeatNgramSize: integer(0),
  badWords: strings,
  labels: strings,
}

/** Options of a call, checked; `undefined` where nothing was given, so that a row's can be laid over them. */
export function checkGenerate(call: string, given: unknown) {
  const options = checkOptions(call, given, CHECKS)
  refuse('numBeams', options.numBeams ?? 1, 1, 'only 1 (greedy decoding) is implemented; beam search is not.')
  refuse('numReturnSequences', options.numReturnSequences ?? 1, 1, 'only 1 is implemented, as decoding is greedy.')
  refuse('doSample', options.doSample ?? false, false, 'sampling is not implemented; decoding is greedy.')
  refuse('repetitionPenalty', options.repetitionPenalty ?? 1, 1, 'only 1 (none) is implemented.')
  refuse('noRepeatNgramSize', options.noRepeatNgramSize ?? 0, 0, 'only 0 (none) is implemented.')
  refuse('badWords', options.badWords, undefined, 'not implemented.')
  refuse('labels', options.labels, undefined, 'not implemented for generate. t5.classify(inputs, { labels }) picks the likeliest label.')
  return options
}

function refuse(name: string, value: unknown, only: unknown, what: string): void {
  if (value !== only) throw unsupportedOption(name, what)
}

/** A row's own options over those of the call, with the defaults. */
export function resolveGenerate(ofCall: ReturnType<typeof checkGenerate>, ofRow: ReturnType<typeof checkGenerate> = {}): ResolvedGenerate {
  const { prompt = null, maxNewTokens = 128, minNewTokens = 0, stop = [], signal } = { ...ofCall, ...ofRow }
  if (minNewTokens > maxNewTokens) throw invalidOption('minNewTokens', minNewTokens, `at most maxNewTokens (${maxNewTokens})`)
  return { prompt, maxNewTokens, minNewTokens, stop, signal }
}

function stopTexts(value: unknown, name: string): string[] {
  return Array.isArray(value) && value.length === 0 ? [] : strings(value, name)
}
