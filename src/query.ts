import { OptionError } from './errors.js'
import type { Frozen } from './frozen.js'
import { isObject, show } from './options/check.js'
import { type CheckedGenerate, checkGenerate, freshSeed, type GenerateOptions, resolveGenerate } from './options/generate.js'
import { type Ids, isIds, requireTokenizer, toInputIds } from './rows.js'
import { type EncodedGenerate, encodeTexts, Sequences } from './sequences.js'
import { mapInSlices } from './time-slice.js'

/** One input, and the options that are its own. */
export interface QueryRow extends GenerateOptions {
  /** A text, which gets a `</s>`, or token ids, which are taken as they are. */
  input: string | Ids
}

/** What `T5.generate` and `T5.stream` answer: a text, token ids, or either with options of its own. */
export type Query = string | Ids | QueryRow

/** A query that is ready to cross to the native module. */
export interface ResolvedQuery extends EncodedGenerate {
  ids: Int32Array
}

/** Many queries or one: an array is many, unless it is an array of token ids. */
export function isMany(queries: unknown): queries is readonly unknown[] {
  return Array.isArray(queries) && !isIds(queries)
}

/** Checks everything about one or many queries; rows are named in messages where there are many. */
export async function resolveQueries(model: Frozen, call: string, queries: unknown, options: unknown): Promise<ResolvedQuery[]> {
  const resolver = new Resolver(model, call, checkGenerate(call, options))
  if (!isMany(queries)) return [resolver.resolve(queries, 0, 'The query')]
  return mapInSlices(queries, (query, row) => resolver.resolve(query, row, `Row ${row}`))
}

class Resolver {
  readonly #sequences: Sequences

  constructor(
    private readonly model: Frozen,
    private readonly call: string,
    private readonly ofCall: CheckedGenerate,
  ) {
    this.#sequences = new Sequences(model)
    ofCall.seed ??= freshSeed()
  }

  resolve(query: unknown, row: number, where: string): ResolvedQuery {
    if (typeof query === 'string' || isIds(query)) return this.#with({}, query, row, where)
    if (!isObject(query) || !('input' in query)) {
      throw new OptionError('OPTION_INVALID', `${where} is ${show(query)}, but must be a string, token ids, or { input, ...options }.`)
    }
    const { input, ...own } = query
    return this.#with(checkGenerate(`${this.call} (${where.toLowerCase()})`, own), input, row, where)
  }

  #with(own: CheckedGenerate, input: unknown, row: number, where: string): ResolvedQuery {
    const resolved = resolveGenerate(this.ofCall, own, row)
    if (resolved.stop.length > 0) requireTokenizer(this.model, "Option 'stop'")
    return { ...encodeTexts(this.#sequences, resolved), ids: toInputIds(this.model, input, where) }
  }
}

/** One signal for the whole call: an abort of any row's stops the batch that they share. */
export function sharedSignal(signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const distinct = [...new Set(signals)].filter((signal) => signal !== undefined)
  return distinct.length > 1 ? AbortSignal.any(distinct) : distinct[0]
}
