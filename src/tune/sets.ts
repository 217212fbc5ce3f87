import { type DataSet, type DataSummary, loadSet, splitSet, summarise } from '../dataset.js'
import type { Frozen } from '../frozen.js'
import { checkMetrics, type Scored } from '../metrics/index.js'
import type { ResolvedTune } from '../options/tune.js'
import { references, textOf } from '../predict.js'
import { labelsOf } from './metadata.js'

export type References = Omit<Scored, 'predictions'>

/** What a call of `tune` learns from and is measured on. */
export interface TuneData {
  train: DataSet
  validation: DataSet | undefined
  references: References | undefined
  summary: DataSummary
}

/** Reads the data, and checks that the metrics can measure it. */
export async function loadTuneData(model: Frozen, options: ResolvedTune, signal: AbortSignal | undefined): Promise<TuneData> {
  const { maxInputLength, maxTargetLength, validationSplit } = options
  const load = (source: ResolvedTune['train']) => loadSet(model, source, { maxInputLength, maxTargetLength, signal })
  const whole = await load(options.train)
  const given = options.validation === undefined ? undefined : await load(options.validation)
  const { train, validation } =
    validationSplit === undefined ? { train: whole, validation: given } : splitSet(whole, validationSplit, options.seed)
  const summary = summarise(train, validation, (ids) => textOf(model, ids))
  const known = validation && references(model, validation, labelsOf(model, [...train.targets, ...validation.targets]))
  if (known) checkMetrics(options.metrics, known)
  return { train, validation, references: known, summary }
}
