import {
  byRow,
  type ClassificationEnsemble,
  deviationOf,
  elected,
  entropyOf,
  meanOf,
  meanRows,
  perMember,
  type ScoreEnsemble,
} from './ensemble.js'
import { OptionError } from './errors.js'
import type { Frozen } from './frozen.js'
import { sum } from './generate.js'
import { type Call, finish } from './job.js'
import { checkOptions, isObject, show, signal } from './options/check.js'
import { type AnyPrompt, anyPromptOption, PromptEnsemble } from './prompt.js'
import { type Ids, isIds, promptedRows, requireTokenizer, toInputIds, tokenRows, toTargetIds } from './rows.js'
import { mapInSlices } from './time-slice.js'

/** A target whose probability is asked for. */
export interface ScoreRow {
  /** What the model reads: X. */
  input: string | Ids
  /** What its answer's probability is asked for: Y. */
  target: string | Ids
  /** The row's own soft prompt; null for none. @defaultValue the call's */
  prompt?: AnyPrompt | null
}

/** How `T5.score` scores. */
export interface ScoreOptions {
  /** For the rows that have none of their own. */
  prompt?: AnyPrompt | null
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
}

/** How likely a target is. */
export interface Score {
  /** Natural log of Pr(target | [P; input]): the sum of `tokenLogProbs`. */
  logProb: number
  /** One number a target token (for text, `</s>` is the last), of the raw log-softmax. */
  tokenLogProbs: Float32Array
  /** With an ensemble of prompts; the numbers above are then the means of its members'. */
  ensemble?: ScoreEnsemble
}

/** What a classified input may look like. */
export type ClassifyInput =
  | string
  | Ids
  | {
      /** A text, which gets a `</s>`, or token ids, which are taken as they are. */
      input: string | Ids
      /** The row's own soft prompt; null for none. @defaultValue the call's */
      prompt?: AnyPrompt | null
    }

/** What `T5.classify` chooses from. */
export interface ClassifyOptions extends ScoreOptions {
  /** The texts (or token ids) to choose from, at least two, all different. */
  labels: readonly (string | Ids)[]
}

/** The label of one input. */
export interface Classification {
  /** The likeliest label; for one that was given as token ids, these ids with spaces between. */
  label: string
  /** Its place in `labels`. */
  index: number
  /** Softmax of `logProbs`. */
  probabilities: Float32Array
  /** Log Pr(label, `</s>` | [P; input]) in the order of `labels`. */
  logProbs: Float32Array
  /** With an ensemble of prompts; `logProbs` are then the means of its members'. */
  ensemble?: ClassificationEnsemble
}

/** Log-probabilities of given targets; see `T5.score`. */
export async function score(model: Frozen, call: Call, rows: unknown, options: unknown): Promise<Score | Score[]> {
  const checked = checkOptions('score', options, { prompt: anyPromptOption, signal })
  const many = Array.isArray(rows)
  const list: unknown[] = many ? rows : [rows]
  const resolved = await mapInSlices(list, (row, i) => scoreRow(model, row, checked.prompt ?? null, many ? `Row ${i}` : 'The row'))
  checked.signal?.throwIfAborted()
  if (resolved.length === 0) return []
  const members = perMember(resolved)
  const targets = tokenRows(members.map((row) => row.target))
  const logProbs = await finish({ ...call, signal: checked.signal }, () => model.native.score(promptedRows(model, members), targets))
  const each = logProbs.map((tokenLogProbs): Score => ({ logProb: sum(tokenLogProbs), tokenLogProbs }))
  const scores = byRow(resolved, each).map((own, i) => combinedScore(resolved[i]!.prompt, own))
  return many ? scores : (scores[0] as Score)
}

function combinedScore(prompt: AnyPrompt | null, members: Score[]): Score {
  if (!(prompt instanceof PromptEnsemble)) return members[0] as Score
  const logProbs = members.map(({ logProb }) => logProb)
  const tokenLogProbs = meanRows(members.map((member) => member.tokenLogProbs))
  return { logProb: meanOf(logProbs), tokenLogProbs, ensemble: { deviation: deviationOf(logProbs), members } }
}

/** Ids, and the prompt or prompts in front of them. */
interface AnyRow {
  ids: Int32Array
  prompt: AnyPrompt | null
}

function scoreRow(model: Frozen, row: unknown, prompt: AnyPrompt | null, where: string): AnyRow & { target: Int32Array } {
  if (!isObject(row)) throw new OptionError('OPTION_INVALID', `${where} is ${show(row)}, but must be { input, target, prompt? }.`)
  const own = checkOptions(`score (${where.toLowerCase()})`, row, { input: as, target: as, prompt: anyPromptOption })
  const ids = toInputIds(model, own.input, `${where}'s input`)
  return { ids, target: toTargetIds(model, own.target, `${where}'s target`), prompt: own.prompt === undefined ? prompt : own.prompt }
}

/** The likeliest of several labels; see `T5.classify`. */
export async function classify(model: Frozen, call: Call, inputs: unknown, options: unknown): Promise<Classification | Classification[]> {
  const checked = checkOptions('classify', options, { labels: labelList, prompt: anyPromptOption, signal })
  const labels = encodeLabels(model, checked.labels)
  const many = Array.isArray(inputs) && !isIds(inputs)
  const list: unknown[] = many ? inputs : [inputs]
  const rows = await mapInSlices(list, (input, i) => classifyRow(model, input, checked.prompt ?? null, many ? `Row ${i}` : 'The input'))
  checked.signal?.throwIfAborted()
  const results = await classifyRows(model, { ...call, signal: checked.signal }, rows, labels)
  return many ? results : (results[0] as Classification)
}

function classifyRow(model: Frozen, input: unknown, prompt: AnyPrompt | null, where: string): AnyRow {
  if (!isObject(input)) return { ids: toInputIds(model, input, where), prompt }
  const own = checkOptions(`classify (${where.toLowerCase()})`, input, { input: as, prompt: anyPromptOption })
  return { ids: toInputIds(model, own.input, where), prompt: own.prompt === undefined ? prompt : own.prompt }
}

export interface EncodedLabel {
  name: string
  ids: Int32Array
}

export async function classifyRows(
  model: Frozen,
  call: Call,
  rows: readonly AnyRow[],
  labels: readonly EncodedLabel[],
): Promise<Classification[]> {
  if (rows.length === 0) return []
  const members = perMember(rows)
  const ids = tokenRows(labels.map((label) => label.ids))
  const logProbs = await finish(call, () => model.native.classify(promptedRows(model, members), ids))
  const each = members.map((_, row) => classification(logProbs.slice(row * labels.length, (row + 1) * labels.length), labels))
  return byRow(rows, each).map((own, i) => combinedClassification(rows[i]!.prompt, own, labels))
}

/** Equal votes go to the label with the higher mean log-probability, then to the earlier prompt's; equal means to the earlier label. */
function combinedClassification(prompt: AnyPrompt | null, members: Classification[], labels: readonly EncodedLabel[]): Classification {
  if (!(prompt instanceof PromptEnsemble)) return members[0] as Classification
  const mean = classification(meanRows(members.map((member) => member.logProbs)), labels)
  const votes = members.map(({ index }) => ({ key: String(index), logProb: mean.logProbs[index] as number }))
  const index = prompt.combine === 'vote' ? (members[elected(votes)] as Classification).index : mean.index
  const entropy = entropyOf(meanRows(members.map((member) => member.probabilities)))
  const within = meanOf(members.map((member) => entropyOf(member.probabilities)))
  const agreement = members.filter((member) => member.index === index).length / members.length
  // Rounding alone can make it less than nothing.
  const mutualInformation = Math.max(0, entropy - within)
  return { ...mean, index, label: (labels[index] as EncodedLabel).name, ensemble: { agreement, entropy, mutualInformation, members } }
}

function classification(logProbs: Float32Array, labels: readonly EncodedLabel[]): Classification {
  const index = logProbs.indexOf(Math.max(...logProbs))
  return { label: (labels[index] as EncodedLabel).name, index, probabilities: softmax(logProbs), logProbs }
}

function softmax(logs: Float32Array): Float32Array {
  const largest = Math.max(...logs)
  const weights = Float64Array.from(logs, (log) => Math.exp(log - largest))
  const total = weights.reduce((a, b) => a + b, 0)
  return Float32Array.from(weights, (weight) => weight / total)
}

/** Checks labels and turns them into ids: at least two, and no two alike. */
export function encodeLabels(model: Frozen, labels: readonly unknown[] | undefined): EncodedLabel[] {
  if (!labels) throw new OptionError('OPTION_INVALID', "classify: option 'labels' is missing. Give the texts to choose from.")
  const encoded = labels.map((label, i) => encodeLabel(model, label, `labels[${i}]`))
  const seen = new Map<string, number>()
  encoded.forEach(({ name, ids }, i) => {
    const key = ids.join(' ')
    const twin = seen.get(key)
    if (twin !== undefined)
      throw new OptionError('OPTION_INVALID', `Option 'labels': entries ${twin} and ${i} (${show(name)}) have the same token ids.`)
    seen.set(key, i)
  })
  return encoded
}

function encodeLabel(model: Frozen, label: unknown, where: string): EncodedLabel {
  if (typeof label === 'string') requireTokenizer(model, `Option '${where}'`)
  const ids = toTargetIds(model, label, `Option '${where}'`)
  return { name: typeof label === 'string' ? label : ids.join(' '), ids }
}

export const labelList = (value: unknown, name: string): unknown[] => {
  if (!Array.isArray(value) || value.length < 2)
    throw new OptionError('OPTION_INVALID', `Option '${name}' is ${show(value)}, but must be an array of at least two labels.`)
  return value
}

const as = (value: unknown) => value
