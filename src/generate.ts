import { elected, type GenerationEnsemble, meanOf, perMember } from './ensemble.js'
import type { Frozen } from './frozen.js'
import { type Call, finish } from './job.js'
import type { NativeGeneration } from './native.js'
import { unsupportedOption } from './options/check.js'
import { PromptEnsemble, type SoftPrompt } from './prompt.js'
import { isMany, type ResolvedQuery, resolveQueries, sharedSignal } from './query.js'
import { promptedRows, tokenRows } from './rows.js'
import { nativeOptions } from './sequences.js'
import { StopWatch, stopAt } from './stop.js'
import { mapInSlices } from './time-slice.js'

/** What a call cost, in tokens of the model's tokenizer. Rows of a soft prompt are not counted. */
export interface Usage {
  /** Tokens of the input, its `</s>` included. */
  inputTokens: number
  /** Tokens of the output, its `</s>` included where it was made. */
  outputTokens: number
  /** Both together. */
  totalTokens: number
}

/** One output of `T5.generate`. */
export interface Generation {
  /** The output without special tokens; '' for a model without tokenizer. */
  text: string
  /** The output's ids: no start token, no padding, `</s>` where it was made. */
  tokens: Int32Array
  /** Natural log of the output's probability: the sum over `tokens`, `</s>` included, of the raw log-softmax. */
  logProb: number
  /** Why it ended: `</s>`, `maxNewTokens`, or one of the `stop` texts. */
  finishReason: 'eos' | 'length' | 'stop'
  /** What it cost. */
  usage: Usage
  /** With an ensemble of prompts. */
  ensemble?: GenerationEnsemble
}

/** What `numReturnSequences` makes of an output; never where the options have none. */
export type Several<O> = O extends {
  /** Outputs for each query. */
  numReturnSequences: infer N extends number
}
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

/** Those of each query after the other; of one query as many as it wants, the best first. An ensemble gives one. */
export async function generateResolved(model: Frozen, call: Call, queries: readonly ResolvedQuery[]): Promise<Generation[]> {
  if (!queries.some(({ prompt }) => prompt instanceof PromptEnsemble)) return generateEach(model, call, queries as readonly MemberQuery[])
  checkEnsembles(queries)
  const made = await generateEach(model, call, perMember(queries))
  // As many outputs a member as it wants; of an ensemble's, one each.
  let next = 0
  const outputs = queries.map(({ prompt, numReturnSequences }) => {
    const from = next
    next += prompt instanceof PromptEnsemble ? prompt.prompts.length : numReturnSequences
    return made.slice(from, next)
  })
  const answers: Generation[] = []
  for (const [i, query] of queries.entries()) {
    const own = outputs[i] as Generation[]
    answers.push(...(query.prompt instanceof PromptEnsemble ? [await combined(model, call, query, query.prompt, own)] : own))
  }
  return answers
}

type MemberQuery = Omit<ResolvedQuery, 'prompt'> & { prompt: SoftPrompt | null }

function checkEnsembles(queries: readonly ResolvedQuery[]): void {
  const many = queries.find(({ prompt, numReturnSequences }) => prompt instanceof PromptEnsemble && numReturnSequences > 1)
  if (many) throw unsupportedOption('numReturnSequences', 'an ensemble of prompts gives one output. Leave it out, or use a single prompt.')
}

async function combined(
  model: Frozen,
  call: Call,
  query: ResolvedQuery,
  { prompts, combine }: PromptEnsemble,
  members: Generation[],
): Promise<Generation> {
  const keys = members.map(({ text, tokens }) => (model.tokenizer ? text : tokens.join(' ')))
  const logProbs = combine === 'average' ? await meanLogProbs(model, call, query, prompts, members) : members.map(({ logProb }) => logProb)
  const chosen =
    combine === 'average' ? logProbs.indexOf(Math.max(...logProbs)) : elected(keys.map((key, i) => ({ key, logProb: logProbs[i]! })))
  const agreement = keys.filter((key) => key === keys[chosen]).length / members.length
  const usage = members.map((member) => member.usage).reduce(addUsage)
  return { ...(members[chosen] as Generation), logProb: logProbs[chosen] as number, usage, ensemble: { agreement, members } }
}

/** Of each member's output, the mean of its log-probabilities behind all prompts. */
async function meanLogProbs(
  model: Frozen,
  call: Call,
  { ids }: ResolvedQuery,
  prompts: readonly SoftPrompt[],
  members: readonly Generation[],
): Promise<number[]> {
  const pairs = members.flatMap(({ tokens }) => prompts.map((prompt) => ({ ids, prompt, tokens })))
  const scores = await finish(call, () => model.native.score(promptedRows(model, pairs), tokenRows(pairs.map(({ tokens }) => tokens))))
  const sums = scores.map(sum)
  return members.map((_, i) => meanOf(sums.slice(i * prompts.length, (i + 1) * prompts.length)))
}

function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    totalTokens: a.totalTokens + b.totalTokens,
  }
}

async function generateEach(model: Frozen, call: Call, queries: readonly MemberQuery[]): Promise<Generation[]> {
  if (queries.length === 0) return []
  const { options, sequences } = nativeOptions(queries)
  const made = await finish(call, () => {
    const onTokens = stopping(model, queries, (row) => job.finishRow(row))
    const job = model.native.generate(promptedRows(model, queries), options, onTokens, sequences)
    return job
  })
  const outputs = made.flatMap((ofRow, row) => ofRow.map((output) => ({ query: queries[row] as MemberQuery, output })))
  const generations = await mapInSlices(outputs, ({ query, output }) => generation(model, query, output))
  const cut = generations.flatMap((one, i) => (one.finishReason === 'stop' ? [{ query: outputs[i]!.query, generation: one }] : []))
  await rescore(model, call, cut)
  return generations
}

/** Watches the tokens as they are made, and tells of each row that has come to a stop text. Undefined where no row needs it. */
function stopping(model: Frozen, queries: readonly MemberQuery[], onStop: (row: number) => void) {
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
function endsAtStop({ stop, numBeams, numReturnSequences }: MemberQuery): boolean {
  return stop.length > 0 && numBeams === 1 && numReturnSequences === 1
}

function generation(model: Frozen, query: MemberQuery, made: NativeGeneration): Generation {
  const stopped = model.tokenizer && query.stop.length > 0 ? stopAt(model.tokenizer, made.tokens, query.stop) : undefined
  const tokens = stopped ? stopped.tokens : made.tokens
  const usage = { inputTokens: query.ids.length, outputTokens: tokens.length, totalTokens: query.ids.length + tokens.length }
  if (stopped) return { text: stopped.text, tokens, logProb: Number.NaN, finishReason: 'stop', usage }
  return { text: textOf(model, query, tokens), tokens, logProb: made.logProb, finishReason: made.finishReason, usage }
}

/** A label reads as it was given, even where its tokens do not spell it. */
function textOf(model: Frozen, { encodedLabels }: MemberQuery, tokens: Int32Array): string {
  return encodedLabels?.textOf.get(tokens.join(' ')) ?? model.tokenizer?.decode(tokens) ?? ''
}

// The native sum covers the whole output; for one that a stop text cut, the tokens that are left are scored again.
async function rescore(model: Frozen, call: Call, cut: readonly { query: MemberQuery; generation: Generation }[]): Promise<void> {
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
