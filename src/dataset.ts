import { type DataSet, type ExampleSource, readExamples, tokenizeExamples } from './data/index.js'
import type { Frozen } from './frozen.js'

export type { DataFormat, DataSet, Example, ExampleSource, MappedSource } from './data/index.js'
export { type DataSummary, type DataWarning, type SetSummary, splitSet, subset, summarise } from './data/index.js'

export interface Limits {
  maxInputLength: number
  maxTargetLength: number
  signal?: AbortSignal | undefined
}

/** The examples of a source as this model's token ids. */
export async function loadSet(model: Frozen, source: ExampleSource, limits: Limits): Promise<DataSet> {
  const examples = await readExamples(source, { signal: limits.signal })
  const { eosTokenId, vocabSize } = model.config
  return tokenizeExamples(examples, { tokenizer: model.tokenizer, eosTokenId, vocabSize, ...limits })
}
