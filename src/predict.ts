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

/** The greedy output for every row. */
export async function predictTexts(model: Frozen, call: Call, set: DataSet, prompt: AnyPrompt | null): Promise<string[]> {
  const maxNewTokens = Math.max(...set.targets.map((target) => target.length)) + SLACK
  const options = encodeTexts(new Sequences(model), resolveGenerate({ prompt, maxNewTokens }))
  return inChunks(set.inputs, async (inputs) => {
    const generations = await generateResolved(
      model,
      call,
      inputs.map((ids) => ({ ...options, ids })),
    )
    return generations.map((generation) => textOf(model, generation.tokens))
  })
}

/** The likeliest label for every row, as the text that it decodes to. */
export async function predictLabels(
  model: Frozen,
  call: Call,
  set: DataSet,
  prompt: AnyPrompt | null,
  labels: readonly EncodedLabel[],
): Promise<string[]> {
  const texts = labels.map((label) => textOf(model, label.ids))
  return inChunks(set.inputs, async (inputs) => {
    const classified = await classifyRows(
      model,
      call,
      inputs.map((ids) => ({ ids, prompt })),
      labels,
    )
    return classified.map(({ index }) => texts[index] as string)
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

async function inChunks(rows: readonly Int32Array[], work: (rows: Int32Array[]) => Promise<string[]>): Promise<string[]> {
  const texts: string[] = []
  for (let start = 0; start < rows.length; start += CHUNK) texts.push(...(await work(rows.slice(start, start + CHUNK))))
  return texts
}
