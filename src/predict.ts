import type { DataSet } from './dataset.js'
import type { Frozen } from './frozen.js'
import { generateResolved } from './generate.js'
import type { Call } from './job.js'
import type { Scored } from './metrics/index.js'
import { resolveGenerate } from './options/generate.js'
import type { AnyPrompt } from './prompt.js'
import { classifyRows, type EncodedLabel } from './score.js'
import { encodeTexts, Sequences } from './sequences.js'

/** Rows that cross to the native module at once: between two calls, texts are made and other work gets its turn. */
const CHUNK = 512

/** Outputs may run so much longer than the longest target before they are cut: they are wrong by then. */
const SLACK = 8

/** What a row's output reads as, and how far the prompts of an ensemble agree on it. */
export interface Predicted {
  text: string
  ensemble?: Agreement
}

/** How far the prompts of an ensemble agree on an output. */
export interface Agreement {
  /** The share of the prompts whose own output is this one. */
  agreement: number
  /** With `labels`, as `classify` gives them, in nats: how uncertain the label is, and how much of that is between the prompts. */
  entropy?: number
  /** In nats; see `entropy`. */
  mutualInformation?: number
}

/** The greedy output for every row. */
export async function predictGreedy(model: Frozen, call: Call, set: DataSet, prompt: AnyPrompt | null): Promise<Predicted[]> {
  const maxNewTokens = Math.max(...set.targets.map((target) => target.length)) + SLACK
  const options = encodeTexts(new Sequences(model), resolveGenerate({ prompt, maxNewTokens }))
  return inChunks(set.inputs, async (inputs) => {
    const generations = await generateResolved(
      model,
      call,
      inputs.map((ids) => ({ ...options, ids })),
    )
    return generations.map(({ tokens, ensemble }) => ({
      text: textOf(model, tokens),
      ...(ensemble && { ensemble: { agreement: ensemble.agreement } }),
    }))
  })
}

/** Its text alone. */
export async function predictTexts(model: Frozen, call: Call, set: DataSet, prompt: AnyPrompt | null): Promise<string[]> {
  return (await predictGreedy(model, call, set, prompt)).map(({ text }) => text)
}

/** The likeliest label for every row, as the text that it decodes to. */
export async function predictLabels(
  model: Frozen,
  call: Call,
  set: DataSet,
  prompt: AnyPrompt | null,
  labels: readonly EncodedLabel[],
): Promise<Predicted[]> {
  const texts = labels.map((label) => textOf(model, label.ids))
  return inChunks(set.inputs, async (inputs) => {
    const classified = await classifyRows(
      model,
      call,
      inputs.map((ids) => ({ ids, prompt })),
      labels,
    )
    return classified.map(({ index, ensemble }) => {
      if (!ensemble) return { text: texts[index] as string }
      const { agreement, entropy, mutualInformation } = ensemble
      return { text: texts[index] as string, ensemble: { agreement, entropy, mutualInformation } }
    })
  })
}

/** What ids read as; for a model without tokenizer, the ids themselves without the special ones. */
export function textOf(model: Frozen, ids: Int32Array): string {
  if (model.tokenizer) return model.tokenizer.decode(ids)
  const { padTokenId, eosTokenId } = model.config
  return ids.filter((id) => id !== padTokenId && id !== eosTokenId).join(' ')
}

/** What metrics know of a data set before anything is predicted. */
export function references(model: Frozen, set: DataSet, labels?: readonly string[]): Omit<Scored, 'predictions'> {
  const targets = set.targets.map((target) => textOf(model, target))
  const rows = targets.map((target, i) => ({ ...set.fields(i), input: set.inputText(i), target }))
  return { targets, rows, describe: set.describe, labels }
}

async function inChunks<T>(rows: readonly Int32Array[], work: (rows: Int32Array[]) => Promise<T[]>): Promise<T[]> {
  const done: T[] = []
  for (let start = 0; start < rows.length; start += CHUNK) done.push(...(await work(rows.slice(start, start + CHUNK))))
  return done
}
