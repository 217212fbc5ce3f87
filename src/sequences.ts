import { OptionError, TokenizerError } from './errors.js'
import type { Frozen } from './frozen.js'
import type { NativeGenerateOptions, TokenRows } from './native.js'
import { show } from './options/check.js'
import type { ResolvedGenerate } from './options/generate.js'
import { checkIds, requireTokenizer, tokenRows } from './rows.js'
import type { Ids } from './tokenizer/tokenizer.js'

type Texts = readonly (string | Ids)[]

/** The labels of a row as ids, each with its `</s>`, and what each of them is called. */
export interface Labels {
  ids: Int32Array[]
  /** The label's own text, by its ids; a label that was given as ids has none. */
  textOf: Map<string, string>
}

/** Turns labels and bad words into token ids, those that several rows share once. */
export class Sequences {
  readonly #labels = new Map<Texts, Labels>()
  readonly #badWords = new Map<Texts, Int32Array[]>()

  constructor(private readonly model: Frozen) {}

  labels(labels: Texts): Labels {
    return once(this.#labels, labels, () => encodeLabels(this.model, labels))
  }

  badWords(words: Texts): Int32Array[] {
    return once(this.#badWords, words, () => words.map((word, i) => encode(this.model, word, `badWords[${i}]`)))
  }
}

/** The options of rows as they cross to the native module, and the sequences that they refer to by their places. */
export function nativeOptions(queries: readonly Omit<EncodedGenerate, 'prompt'>[]): {
  options: NativeGenerateOptions[]
  sequences: TokenRows[]
} {
  const places = new Map<readonly Int32Array[], number>()
  const sequences: TokenRows[] = []
  const placeOf = (rows: readonly Int32Array[]) => once(places, rows, () => sequences.push(tokenRows(rows)) - 1)
  const options = queries.map((query) => {
    const { maxNewTokens, minNewTokens, numReturnSequences, repetitionPenalty, noRepeatNgramSize } = query
    const native: NativeGenerateOptions = { maxNewTokens, minNewTokens }
    if (query.numBeams > 1) Object.assign(native, beamOptions(query))
    if (query.doSample) Object.assign(native, samplingOptions(query))
    if (numReturnSequences > 1) native.numReturnSequences = numReturnSequences
    if (repetitionPenalty !== 1) native.repetitionPenalty = repetitionPenalty
    if (noRepeatNgramSize > 0) native.noRepeatNgramSize = noRepeatNgramSize
    if (query.badWordIds.length > 0) native.badWords = placeOf(query.badWordIds)
    if (query.encodedLabels) native.labels = placeOf(query.encodedLabels.ids)
    return native
  })
  return { options, sequences }
}

/** Options whose texts have become ids. */
export interface EncodedGenerate extends ResolvedGenerate {
  badWordIds: readonly Int32Array[]
  encodedLabels: Labels | undefined
}

const NO_WORDS: readonly Int32Array[] = []

export function encodeTexts(sequences: Sequences, resolved: ResolvedGenerate): EncodedGenerate {
  const badWordIds = resolved.badWords?.length ? sequences.badWords(resolved.badWords) : NO_WORDS
  const encodedLabels = resolved.labels && sequences.labels(resolved.labels)
  if (encodedLabels) checkRoom(encodedLabels, resolved)
  return { ...resolved, badWordIds, encodedLabels }
}

function beamOptions({ numBeams, lengthPenalty, earlyStopping }: Omit<ResolvedGenerate, 'prompt'>): Partial<NativeGenerateOptions> {
  return { numBeams, lengthPenalty, earlyStopping: earlyStopping === 'never' ? 'never' : earlyStopping ? 'atOnce' : 'heuristic' }
}

function samplingOptions({
  doSample,
  temperature,
  topK,
  topP,
  seed,
  place,
}: Omit<ResolvedGenerate, 'prompt'>): Partial<NativeGenerateOptions> {
  return { doSample, temperature, topK, topP, seed, place }
}

function encodeLabels(model: Frozen, labels: Texts): Labels {
  const { eosTokenId } = model.config
  const textOf = new Map<string, string>()
  const seen = new Map<string, number>()
  const ids = labels.map((label, i) => {
    const own = encode(model, label, `labels[${i}]`)
    const ended = own.at(-1) === eosTokenId ? own : Int32Array.of(...own, eosTokenId)
    const key = ended.join(' ')
    const twin = seen.get(key)
    if (twin !== undefined) refuse('labels', `entries ${twin} and ${i} (${show(label)}) have the same token ids.`)
    if (ended.indexOf(eosTokenId) < ended.length - 1) refuse(`labels[${i}]`, `${show(label)} has </s> in its middle, where an output ends.`)
    seen.set(key, i)
    if (typeof label === 'string') textOf.set(key, label)
    return ended
  })
  return { ids, textOf }
}

function encode(model: Frozen, value: string | Ids, name: string): Int32Array {
  const where = `Option '${name}'`
  if (typeof value !== 'string') return checkIds(model, value, where)
  const ids = requireTokenizer(model, where).encode(value)
  if (ids.length === 0) refuse(name, `${show(value)} has no tokens.`)
  const outside = ids.find((id) => id >= model.config.vocabSize)
  if (outside !== undefined)
    throw new TokenizerError(
      'TOKEN_OUT_OF_RANGE',
      `${where}: ${show(value)} has the token id ${outside}, but vocab_size is ${model.config.vocabSize}.`,
    )
  return ids
}

function checkRoom({ ids }: Labels, { maxNewTokens, labels }: ResolvedGenerate): void {
  const long = ids.findIndex((label) => label.length > maxNewTokens)
  if (long < 0) return
  const needed = Math.max(...ids.map((label) => label.length))
  refuse(
    'maxNewTokens',
    `${maxNewTokens} is too few for labels[${long}] (${show(labels?.[long])}); the labels need ${needed}, </s> included.`,
  )
}

function refuse(name: string, what: string): never {
  throw new OptionError('OPTION_INVALID', `Option '${name}': ${what}`)
}

function once<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  let value = known.get(key)
  if (value === undefined) {
    value = make()
    known.set(key, value)
  }
  return value
}
