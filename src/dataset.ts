import { type DataSet, type ExampleSet, type ExampleSource, readExamples, tokenizeExamples } from './data/index.js'
import type { Frozen } from './frozen.js'

export type { DataFormat, DataSet, Example, ExampleSet, ExampleSource, MappedSource } from './data/index.js'
export { type DataSummary, type DataWarning, type SetSummary, splitSet, subset, summarise } from './data/index.js'

export interface Limits {
  maxInputLength: number
  maxTargetLength: number
  signal?: AbortSignal | undefined
  /** What becomes of the examples before they are token ids. */
  prepare?: ((examples: ExampleSet) => ExampleSet) | undefined
}

/** The examples of a source as this model's token ids. */
export async function loadSet(model: Frozen, source: ExampleSource, limits: Limits): Promise<DataSet> {
  const { prepare = (examples: ExampleSet) => examples, ...rest } = limits
  const examples = prepare(await readExamples(source, { signal: limits.signal }))
  const { eosTokenId, vocabSize } = model.config
  return tokenizeExamples(examples, { tokenizer: model.tokenizer, eosTokenId, vocabSize, ...rest })
}
