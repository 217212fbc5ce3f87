import type { Frozen } from '../frozen.js'
import type { ResolvedTune } from '../options/tune.js'
import type { StartEvent } from './events.js'
import type { TuneData } from './sets.js'

export function startEvent(model: Frozen, options: ResolvedTune, data: TuneData, resumedFrom: number): StartEvent {
  const lengths = options.runs.map(({ length }) => length)
  const shared = options.shared?.length ?? 0
  return {
    type: 'start',
    examples: data.train.inputs.length,
    validation: data.validation?.inputs.length ?? 0,
    ...(options.several && { runs: lengths.length }),
    promptRows: Math.max(...lengths) + shared,
    dModel: model.dModel,
    parameters: lengths.reduce((sum, length) => sum + length, shared) * model.dModel,
    modelParameters: model.native.info.parameterCount,
    steps: options.steps,
    resumedFrom,
    data: data.summary,
  }
}
