import type { CallSite } from '../errors.js'
import type { Frozen } from '../frozen.js'
import type { ResolvedTraining } from '../options/training.js'
import { checkWritable } from '../writable.js'
import type { Course } from './course.js'
import type { TrainEvent } from './events.js'
import { type Trained, TrainSession } from './session.js'

/** The model whose copy is to learn, and the run that it is for: `stop` aborts it. */
export interface Start<Data> {
  base: Frozen
  site: CallSite
  stop: AbortSignal
  tell: (event: TrainEvent<Data>) => void
}

/** Opens what a copy of the model is to learn from, and trains it to the end. `wrap` makes the result of what was learned, also where the run fails. */
export async function startTraining<Options extends ResolvedTraining, Data, Result>(
  { base, site, stop, tell }: Start<Data>,
  options: Options,
  open: (model: Frozen, options: Options, signal: AbortSignal) => Promise<Course<Data>>,
  wrap: (trained: Trained<Data>) => Result,
): Promise<Result> {
  const signal = options.signal ? AbortSignal.any([options.signal, stop]) : stop
  signal.throwIfAborted()
  if (options.checkpoint) await checkWritable(options.checkpoint.path, 'The checkpoint')
  const course = await open(base, options, signal)
  return TrainSession.run({ base, call: { site, signal }, options, course, tell }, wrap)
}
