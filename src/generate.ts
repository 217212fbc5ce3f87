import type { Frozen } from './frozen.js'
import { type Call, finish } from './job.js'
import type { NativeGeneration } from './native.js'
import { isMany, type ResolvedQuery, resolveQueries, sharedSignal } from './query.js'
import { promptedRows, tokenRows } from './rows.js'
import { nativeOptions } from './sequences.js'
import { StopWatch, stopAt } from './stop.js'
import { mapInSlices } from './time-slice.js'

/** What a call cost, in tokens of the model's tokenizer. Rows of a soft prompt are not counted. */
export interface Usage {
  inputTokens: number
  outputTokens: number
  totalTokens: number
}

export interface Generation {
  /** The output without special tokens; '' for a model without tokenizer. */
  text: string
  /** The output's ids: no start token, no padding, </s> where it was made. */
  tokens: Int32Array
  /** Natural log of the output's probability: the sum over `tokens`, </s> included, of the raw log-softmax. */
  logProb: number
  /** Why it ended: </s>, `maxNewTokens`, or one of the `stop` texts. */
  finishReason: 'eos' | 'length' | 'stop'
  usage: Usage
}

type Several<O> = O extends { numReturnSequences: infer N extends number }
  ? number extends N
    ? Generation | Generation[] // not known before it runs
    : N extends 1
      ? Generation
      : Generation[]
  : never

/** What one query gives: an array where its own or the call's `numReturnSequences` is above 1. */
export type Generated<Q, O> = [Several<Q>] extends [never] ? ([Several<O>] extends [never] ? Generation : Several<O>) : Several<Q>

/** Outputs of one or many queries, decoded in shared batches; see `T5.generate`. */
export async function generate(model: Frozen, call: Call, queries: unknown, options: unknown): Promise<Generation | Generation[]> {
  const resolved = await resolveQueries(model, 'generate', queries, options)
  const signal = sharedSignal(resolved.map((query) => query.signal))
  signal?.throwIfAborted()
  const generations = await generateResolved(model, { ...call, signal }, resolved)
  const isOne = !isMany(queries) && resolved[0]?.numReturnSequences === 1
  return isOne ? (generations[0] as Generation) : generations
}

/** Those of each query after the other; of one query as many as it wants, the best first. */
export async function generateResolved(model: Frozen, call: Call, queries: readonly ResolvedQuery[]): Promise<Generation[]> {
  if (queries.length === 0) return []
  const { options, sequences } = nativeOptions(queries)
  const made = await finish(call, () => {
    const onTokens = stopping(model, queries, (row) => job.finishRow(row))
    const job = model.native.generate(promptedRows(model, queries), options, onTokens, sequences)
    return job
  })
  const outputs = made.flatMap((ofRow, row) => ofRow.map((output) => ({ query: queries[row] as ResolvedQuery, output })))
  const generations = await mapInSlices(outputs, ({ query, output }) => generation(model, query, output))
  const cut = generations.flatMap((one, i) => (one.finishReason === 'stop' ? [{ query: outputs[i]!.query, generation: one }] : []))
  await rescore(model, call, cut)
  return generations
}

/** Watches the tokens as they are made, and tells of each row that has come to a stop text. Undefined where no row needs it. */
function stopping(model: Frozen, queries: readonly ResolvedQuery[], onStop: (row: number) => void) {
  const { tokenizer } = model
  if (!tokenizer || !queries.some(endsAtStop)) return undefined
  const watches = queries.map((query) => (endsAtStop(query) ? new StopWatch(tokenizer, query.stop) : undefined))
  return (rows: Int32Array, tokens: Int32Array) => {
    rows.forEach((row, i) => {
      if (watches[row]?.sees(tokens[i] as number)) onStop(row)
    })
  }
}

/** Beams have no output before their end, and of several outputs only the first is told of as it grows. */
function endsAtStop({ stop, numBeams, numReturnSequences }: ResolvedQuery): boolean {
  return stop.length > 0 && numBeams === 1 && numReturnSequences === 1
}

function generation(model: Frozen, query: ResolvedQuery, made: NativeGeneration): Generation {
  const stopped = model.tokenizer && query.stop.length > 0 ? stopAt(model.tokenizer, made.tokens, query.stop) : undefined
  const tokens = stopped ? stopped.tokens : made.tokens
  const usage = { inputTokens: query.ids.length, outputTokens: tokens.length, totalTokens: query.ids.length + tokens.length }
  if (stopped) return { text: stopped.text, tokens, logProb: Number.NaN, finishReason: 'stop', usage }
  return { text: textOf(model, query, tokens), tokens, logProb: made.logProb, finishReason: made.finishReason, usage }
}

/** A label reads as it was given, even where its tokens do not spell it. */
function textOf(model: Frozen, { encodedLabels }: ResolvedQuery, tokens: Int32Array): string {
  return encodedLabels?.textOf.get(tokens.join(' ')) ?? model.tokenizer?.decode(tokens) ?? ''
}

// The native sum covers the whole output; for one that a stop text cut, the tokens that are left are scored again.
async function rescore(model: Frozen, call: Call, cut: readonly { query: ResolvedQuery; generation: Generation }[]): Promise<void> {
  if (cut.length === 0) return
  const rows = promptedRows(
    model,
    cut.map(({ query }) => query),
  )
  const targets = tokenRows(cut.map(({ generation }) => generation.tokens))
  const scores = await finish(call, () => model.native.score(rows, targets))
  cut.forEach(({ generation }, i) => {
    generation.logProb = sum(scores[i] as Float32Array)
  })
}

export function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0)
}
