import type { Example } from './dataset.js'
import type { Frozen } from './frozen.js'
import { type Call, finish } from './job.js'
import type { NativeInit } from './native.js'
import { checkOptions, integer, invalidOption, signal } from './options/check.js'
import { checkPromptFor, promptOption, SoftPrompt } from './prompt.js'
import { tokenRows } from './rows.js'
import { type Score, score } from './score.js'
import { SAMPLED_FROM, UNIFORM } from './tune/init.js'
import { preset } from './tune/presets.js'

/** What `T5.explain` looks at. */
export interface ExplainOptions {
  /** Nearest tokens a row. @defaultValue 5 */
  nearest?: number
  /** Compare with this prompt, instead of the one that the prompt started from. */
  against?: SoftPrompt | null
  /** Examples to measure each row on: how much likelier their targets are with it than without it. */
  examples?: readonly Example[]
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
}

/** A token of the vocabulary, and how near it is to a row of a prompt. */
export interface NearestToken {
  /** Its id: a row of the embedding. */
  id: number
  /** undefined for an id that the tokenizer does not have */
  token: string | undefined
  /** Cosine of the prompt's row and the token's embedding. */
  similarity: number
}

/** One row of a prompt. */
export interface ExplainedRow {
  /** L2. */
  norm: number
  /** Vocabulary tokens whose embeddings point most nearly the same way. */
  nearest: NearestToken[]
  /** L2 distance to the same row of the other prompt, and their cosine. */
  drift?: {
    /** L2, in the units of the embedding. */
    distance: number
    /** Cosine. */
    similarity: number
  }
  /** Mean log-probability of the examples' targets with all rows, less that without this row: greater is more useful. */
  effect?: number
}

/** Two measures of how alike the tasks of two prompts are (Vu et al. 2022, "SPoT"), both in [-1, 1]; the order of rows does not matter. */
export interface PromptSimilarity {
  /** Cosine of the means over the rows. */
  averageTokens: number
  /** The mean cosine over all pairs of a row of one and a row of the other. */
  perToken: number
}

/** What `T5.explain` found. */
export interface Explanation {
  /** One a row of the prompt, in its order. */
  rows: ExplainedRow[]
  /** What `drift` is measured from; null where that is not known. */
  from: 'start' | 'against' | null
  /** With `against`: how alike the two prompts are as wholes. */
  similarity?: PromptSimilarity
  /** Mean log-probability of the examples' targets with the whole prompt. */
  logProb?: number
}

/** What a prompt's rows resemble, how far they moved, and what each does; see `T5.explain`. */
export async function explain(model: Frozen, call: Call, prompt: unknown, options: unknown): Promise<Explanation> {
  if (!(prompt instanceof SoftPrompt)) throw invalidOption('prompt', prompt, 'a SoftPrompt')
  const checks = { nearest: integer(1), against: promptOption, examples: exampleList, signal }
  const { nearest: count = 5, against, examples, ...checked } = checkOptions('explain', options, checks)
  const rows = checkPromptFor(model, prompt, 'explain')
  const cancellable = { ...call, signal: checked.signal }
  const found = await finish(cancellable, () => model.native.nearest(rows, count))
  const other = against ? checkPromptFor(model, against, "Option 'against'").data : await startOf(model, cancellable, prompt)
  const effects = examples && (await effectsOf(model, cancellable, prompt, examples))
  const each = found.ids.length / prompt.rows
  const explained = Array.from({ length: prompt.rows }, (_, row): ExplainedRow => {
    const values = rowOf(prompt.data, row, prompt.dModel)
    const beside = other && rowOf(other, row, prompt.dModel)
    const ids = found.ids.subarray(row * each, (row + 1) * each)
    return {
      norm: norm(values),
      nearest: Array.from(ids, (id, i) => ({ id, token: tokenOf(model, id), similarity: found.similarity[row * each + i]! })),
      ...(beside && beside.length > 0 && { drift: { distance: distance(values, beside), similarity: cosine(values, beside) } }),
      ...(effects && { effect: effects.effects[row]! }),
    }
  })
  return {
    ...{ rows: explained, from: other ? (against ? 'against' : 'start') : null },
    ...(against && { similarity: similarityOf(prompt, against) }),
    ...(effects && { logProb: effects.whole }),
  }
}

/** The prompt that a run began with, made anew from what the metadata tells of it; undefined where that is not enough. */
async function startOf(model: Frozen, call: Call, { metadata, rows }: SoftPrompt): Promise<Float32Array | undefined> {
  const init = initOf(model, metadata)
  if (!init) return undefined
  const one = tokenRows([Int32Array.of(model.config.eosTokenId)])
  const { options, seed } = init
  const loss = { reduction: 'sum', zLoss: 0, labelSmoothing: 0 } as const
  // No step of it is made: a run's tuner is what knows how a prompt begins.
  const tuner = await finish(call, () =>
    model.native.tuner({
      ...{ inputs: one, targets: one, steps: 1, batchSize: 1, microBatchSize: 0, shuffle: false, dropout: 0, seed, loss },
      ...{ optimizer: preset('fast', 1).optimizer, runs: [{ length: rows, init: options, seed, learningRate: 1 }] },
    }),
  )
  return (await finish(call, () => tuner.prompt(0))).data
}

function initOf(model: Frozen, metadata: SoftPrompt['metadata']): { options: NativeInit; seed: number } | undefined {
  if (metadata.fingerprint !== model.fingerprint) return undefined
  let training: { init?: unknown; seed?: unknown }
  try {
    training = JSON.parse(metadata.training ?? 'null') ?? {}
  } catch {
    return undefined
  }
  const { init, seed } = training
  if (!Number.isSafeInteger(seed)) return undefined
  const options = nativeInitOf(model, init)
  return options && { options, seed: seed as number }
}

function nativeInitOf(model: Frozen, init: unknown): NativeInit | undefined {
  if (init === 'vocabulary') return { kind: 'vocabulary', sampledFrom: SAMPLED_FROM }
  if (init === 'uniform') return { kind: 'uniform', ...UNIFORM }
  const { labels, text, uniform } = (init ?? {}) as { labels?: string[]; text?: string; uniform?: [number, number] }
  if (uniform) return { kind: 'uniform', low: uniform[0], high: uniform[1] }
  const encode = (piece: string) => model.tokenizer!.encode(piece)
  if (!model.tokenizer) return undefined
  if (Array.isArray(labels)) return { kind: 'labels', labels: tokenRows(labels.map(encode)), sampledFrom: SAMPLED_FROM }
  if (typeof text === 'string') return { kind: 'text', labels: tokenRows([encode(text)]), sampledFrom: SAMPLED_FROM }
  return undefined
}

async function effectsOf(
  model: Frozen,
  call: Call,
  prompt: SoftPrompt,
  examples: readonly Example[],
): Promise<{ whole: number; effects: number[] }> {
  const mean = async (used: SoftPrompt | null) => {
    const scores = (await score(model, call, examples, { prompt: used, signal: call.signal })) as Score[]
    return scores.reduce((sum, { logProb }) => sum + logProb, 0) / scores.length
  }
  const whole = await mean(prompt)
  const effects: number[] = []
  for (let row = 0; row < prompt.rows; row++) effects.push(whole - (await mean(without(prompt, row))))
  return { whole, effects }
}

/** The prompt less one of its rows; null where that was the only one. */
function without({ data, rows, dModel }: SoftPrompt, row: number): SoftPrompt | null {
  if (rows === 1) return null
  const rest = new Float32Array((rows - 1) * dModel)
  rest.set(data.subarray(0, row * dModel))
  rest.set(data.subarray((row + 1) * dModel), row * dModel)
  return SoftPrompt.fromArray(rest, { rows: rows - 1, dModel })
}

function similarityOf(a: SoftPrompt, b: SoftPrompt): PromptSimilarity {
  // The mean of all pairs' cosines is the product of the means of the rows at length 1.
  const perToken = dot(meanRow(a, unit), meanRow(b, unit))
  return { averageTokens: cosine(meanRow(a), meanRow(b)), perToken: Math.max(-1, Math.min(1, perToken)) }
}

/** The mean over the rows, each made what `each` gives. */
function meanRow({ data, rows, dModel }: SoftPrompt, each = (row: Float32Array) => row): Float32Array {
  const all = Array.from({ length: rows }, (_, row) => each(rowOf(data, row, dModel)))
  return Float32Array.from({ length: dModel }, (_, i) => all.reduce((sum, row) => sum + row[i]!, 0) / rows)
}

/** At length 1; of zeros, zeros. */
function unit(row: Float32Array): Float32Array {
  const length = norm(row)
  return length === 0 ? row : row.map((value) => value / length)
}

const exampleList = (value: unknown, name: string): readonly Example[] => {
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, value, 'an array of { input, target } with at least one entry')
  return value
}

function tokenOf({ tokenizer }: Frozen, id: number): string | undefined {
  return tokenizer?.idToPiece(id)
}

function rowOf(data: Float32Array, row: number, dModel: number): Float32Array {
  return data.subarray(row * dModel, (row + 1) * dModel)
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}

function norm(a: Float32Array): number {
  return Math.sqrt(dot(a, a))
}

function distance(a: Float32Array, b: Float32Array): number {
  return norm(a.map((value, i) => value - b[i]!))
}

function cosine(a: Float32Array, b: Float32Array): number {
  const scale = norm(a) * norm(b)
  return scale === 0 ? 0 : dot(a, b) / scale
}
