import { type DataSet, type DataSummary, type Limits, loadSet, splitSet, subset, summarise } from '../dataset.js'
import { DataError } from '../errors.js'
import type { Frozen } from '../frozen.js'
import { checkMetrics, type Scored } from '../metrics/index.js'
import { show } from '../options/check.js'
import type { ResolvedTune } from '../options/tune.js'
import { references, textOf } from '../predict.js'
import { labelsOf } from './metadata.js'

/** What a run learns from and is measured on. */
export interface RunData {
  train: DataSet
  validation: DataSet | undefined
  references: Omit<Scored, 'predictions'> | undefined
}

export interface TuneData {
  train: DataSet
  validation: DataSet | undefined
  summary: DataSummary
  /** The run of each training row, where the runs are tasks. */
  runOfRow: Int32Array | undefined
  runs: RunData[]
}

/** What the data of a run is told by its options. */
export interface SetOptions
  extends Pick<
    ResolvedTune,
    'train' | 'validation' | 'validationSplit' | 'seed' | 'maxInputLength' | 'maxTargetLength' | 'metrics' | 'signal'
  > {
  runs: readonly { task?: string | undefined }[]
  /** As loadSet has it. */
  prepare?: Limits['prepare']
  /** What becomes of a set of token ids. */
  convert?: (set: DataSet) => DataSet
}

/** Reads the data, gives each task its rows, and checks that the metrics can measure them. */
export async function loadTuneData(model: Frozen, options: SetOptions, signal: AbortSignal | undefined): Promise<TuneData> {
  const { maxInputLength, maxTargetLength, validationSplit, prepare, convert = (set: DataSet) => set } = options
  const load = async (source: ResolvedTune['train']) =>
    convert(await loadSet(model, source, { maxInputLength, maxTargetLength, signal, prepare }))
  const whole = await load(options.train)
  const given = options.validation === undefined ? undefined : await load(options.validation)
  const { train, validation } =
    validationSplit === undefined ? { train: whole, validation: given } : splitSet(whole, validationSplit, options.seed)
  const summary = summarise(train, validation, (ids) => textOf(model, ids))
  const tasks = options.runs.flatMap(({ task }) => (task === undefined ? [] : [task]))
  if (tasks.length === 0) {
    const all = runData(model, options, train, validation)
    return { train, validation, summary, runOfRow: undefined, runs: options.runs.map(() => all) }
  }
  const runOfRow = tasksOf(train, tasks)
  const trained = parts(train, runOfRow, tasks, 'training')
  const measured = validation && parts(validation, tasksOf(validation, tasks), tasks, 'validation')
  return { train, validation, summary, runOfRow, runs: tasks.map((_, i) => runData(model, options, trained[i]!, measured?.[i])) }
}

function runData(model: Frozen, options: SetOptions, train: DataSet, validation: DataSet | undefined): RunData {
  const known = validation && references(model, validation, labelsOf(model, [...train.targets, ...validation.targets]))
  if (known) checkMetrics(options.metrics, known)
  return { train, validation, references: known }
}

/** Which of the tasks each row is of. */
function tasksOf(set: DataSet, tasks: readonly string[]): Int32Array {
  return Int32Array.from(set.inputs, (_, row) => {
    const { task } = set.fields(row)
    const index = tasks.indexOf(task as string)
    if (index >= 0) return index
    const what = task === undefined ? 'has no "task"' : `has the task ${show(task)}`
    throw new DataError('DATA_ROW_INVALID', `${set.describe(row)}: the row ${what}, but the tasks are ${tasks.map(show).join(', ')}.`)
  })
}

function parts(set: DataSet, taskOf: Int32Array, tasks: readonly string[], name: string): DataSet[] {
  return tasks.map((task, index) => {
    const rows = Array.from(taskOf.keys()).filter((row) => taskOf[row] === index)
    if (rows.length === 0)
      throw new DataError('DATA_EMPTY', `The ${name} set has no row of the task ${show(task)}. Add some, or leave the task out.`)
    return subset(set, rows)
  })
}
