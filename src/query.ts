import { OptionError } from './errors.js'
import type { Frozen } from './frozen.js'
import { isObject, show } from './options/check.js'
import { checkGenerate, type GenerateOptions, type ResolvedGenerate, resolveGenerate } from './options/generate.js'
import { type Ids, isIds, toInputIds } from './rows.js'
import { mapInSlices } from './time-slice.js'

/** One input, and the options that are its own. */
export interface QueryRow extends GenerateOptions {
  input: string | Ids
}

export type Query = string | Ids | QueryRow

/** A query that is ready to cross to the native module. */
export interface ResolvedQuery extends ResolvedGenerate {
  ids: Int32Array
}

/** Many queries or one: an array is many, unless it is an array of token ids. */
export function isMany(queries: unknown): queries is readonly unknown[] {
  return Array.isArray(queries) && !isIds(queries)
}

/** Checks everything about one or many queries; rows are named in messages where there are many. */
export async function resolveQueries(model: Frozen, call: string, queries: unknown, options: unknown): Promise<ResolvedQuery[]> {
  const ofCall = checkGenerate(call, options)
  if (!isMany(queries)) return [resolveQuery(model, call, queries, ofCall, 'The query')]
  return mapInSlices(queries, (query, row) => resolveQuery(model, call, query, ofCall, `Row ${row}`))
}

function resolveQuery(model: Frozen, call: string, query: unknown, ofCall: ReturnType<typeof checkGenerate>, where: string): ResolvedQuery {
  if (typeof query === 'string' || isIds(query)) return { ...resolveGenerate(ofCall), ids: toInputIds(model, query, where) }
  if (!isObject(query) || !('input' in query)) {
    throw new OptionError('OPTION_INVALID', `${where} is ${show(query)}, but must be a string, token ids, or { input, ...options }.`)
  }
  const { input, ...own } = query
  return { ...resolveGenerate(ofCall, checkGenerate(`${call} (${where.toLowerCase()})`, own)), ids: toInputIds(model, input, where) }
}

/** One signal for the whole call: an abort of any row's stops the batch that they share. */
export function sharedSignal(signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const distinct = [...new Set(signals)].filter((signal) => signal !== undefined)
  return distinct.length > 1 ? AbortSignal.any(distinct) : distinct[0]
}
