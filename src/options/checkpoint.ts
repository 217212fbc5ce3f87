import { checkOptions, integer, invalidOption, show, text } from './check.js'

/** Where a run's whole state is written. */
export interface CheckpointOptions {
  /** The file. It is one run's at a time (CHECKPOINT_LOCKED). */
  path: string
  /** Steps between writings. @defaultValue only at the end */
  every?: number
}

/** Where the whole state of a run of `tune` is written, and its prompts beside it. */
export interface TuneCheckpointOptions extends CheckpointOptions {
  /** The best prompts of each run that are kept as files of their own. @defaultValue none */
  keep?: number
}

export interface ResolvedCheckpoint {
  path: string
  every: number
  /** Prompts of each run that are kept as files; undefined: none. */
  keep?: number
}

const PLACE = { path: text, every: integer(1) }

export function checkpointChoice(value: unknown, name: string): CheckpointOptions {
  return checkpointOf(value, name, PLACE)
}

export function keepingCheckpoint(value: unknown, name: string): TuneCheckpointOptions {
  return checkpointOf(value, name, { ...PLACE, keep: integer(1) })
}

function checkpointOf(value: unknown, name: string, checks: typeof PLACE & { keep?: ReturnType<typeof integer> }): TuneCheckpointOptions {
  const { path, every, keep } = checkOptions('tune', value, checks, `${name}.`) as Partial<TuneCheckpointOptions>
  if (path === undefined)
    throw invalidOption(`${name}.path`, path, `the path of a file, as in { path: 'run.ckpt', every: 100 } (got ${show(value)})`)
  return { path, ...(every !== undefined && { every }), ...(keep !== undefined && { keep }) }
}
