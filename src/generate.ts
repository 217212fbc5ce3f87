import type { Frozen } from './frozen.js'
import { type Call, finish } from './job.js'
import type { NativeGeneration } from './native.js'
import { isMany, type ResolvedQuery, resolveQueries, sharedSignal } from './query.js'
import { promptedRows, tokenRows } from './rows.js'
import { stopAt } from './stop.js'
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

/** Greedy decoding of one or many queries in shared batches; see `T5.generate`. */
export async function generate(model: Frozen, call: Call, queries: unknown, options: unknown): Promise<Generation | Generation[]> {
  const resolved = await resolveQueries(model, 'generate', queries, options)
  const signal = sharedSignal(resolved.map((query) => query.signal))
  signal?.throwIfAborted()
  const generations = await generateResolved(model, { ...call, signal }, resolved)
  return isMany(queries) ? generations : (generations[0] as Generation)
}

export async function generateResolved(model: Frozen, call: Call, queries: readonly ResolvedQuery[]): Promise<Generation[]> {
  if (queries.length === 0) return []
  const options = queries.map(({ maxNewTokens, minNewTokens }) => ({ maxNewTokens, minNewTokens }))
  const made = await finish(call, () => model.native.generate(promptedRows(model, queries), options))
  const generations = await mapInSlices(queries, (query, row) => generation(model, query, made[row] as NativeGeneration))
  await rescoreStopped(model, call, queries, generations)
  return generations
}

function generation(model: Frozen, query: ResolvedQuery, made: NativeGeneration): Generation {
  const stopped = model.tokenizer && query.stop.length > 0 ? stopAt(model.tokenizer, made.tokens, query.stop) : undefined
  const tokens = stopped ? stopped.tokens : made.tokens
  const usage = { inputTokens: query.ids.length, outputTokens: tokens.length, totalTokens: query.ids.length + tokens.length }
  if (stopped) return { text: stopped.text, tokens, logProb: Number.NaN, finishReason: 'stop', usage }
  return { text: model.tokenizer?.decode(tokens) ?? '', tokens, logProb: made.logProb, finishReason: made.finishReason, usage }
}

// The native sum covers the whole output; for one that a stop text cut, the tokens that are left are scored again.
async function rescoreStopped(model: Frozen, call: Call, queries: readonly ResolvedQuery[], generations: Generation[]): Promise<void> {
  const cut = generations.map((_, row) => row).filter((row) => generations[row]?.finishReason === 'stop')
  if (cut.length === 0) return
  const rows = promptedRows(
    model,
    cut.map((row) => queries[row] as ResolvedQuery),
  )
  const targets = tokenRows(cut.map((row) => (generations[row] as Generation).tokens))
  const scores = await finish(call, () => model.native.score(rows, targets))
  cut.forEach((row, i) => {
    ;(generations[row] as Generation).logProb = sum(scores[i] as Float32Array)
  })
}

export function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0)
}
