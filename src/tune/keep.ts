import { unlink } from 'node:fs/promises'
import { FileError } from '../errors.js'
import type { Frozen } from '../frozen.js'
import type { NativePromptRows } from '../native.js'
import type { ResolvedTune } from '../options/tune.js'
import { SoftPrompt } from '../prompt.js'
import { VERSION } from '../version.js'
import type { Ranking } from './evaluations.js'
import { keptPath } from './kept-path.js'
import { promptMetadata } from './metadata.js'
import { reportOf } from './report.js'
import type { TuneData } from './sets.js'
import type { RunState, SavedPrompt, TuneState } from './state.js'

/**
 * Keeps the best prompts of each run (without validation data its latest) as files beside the checkpoint. A file that is no longer wanted is removed only when a
 * checkpoint that does without it is on the disk: whatever ends the process, those that the checkpoint counts on are there.
 */
export class PromptKeeper {
  constructor(
    private readonly model: Frozen,
    private readonly options: ResolvedTune,
    private readonly data: TuneData,
  ) {}

  /** A prompt of the run as it is at this step: written where it is one of those to keep. */
  async offer(state: TuneState, run: number, rows: NativePromptRows, metrics: Record<string, number>): Promise<void> {
    const keep = this.options.checkpoint?.keep
    if (keep === undefined) return
    const own = state.runs[run] as RunState
    const offered = { step: state.step, metrics }
    // At the same step a second time where a run goes on from the state that an abort left.
    const known = own.saved.filter(({ step }) => step !== state.step)
    const ranked = [...known, offered].sort(this.data.validation ? byMetric(this.options) : latestFirst)
    const saved = ranked.slice(0, keep)
    if (saved.includes(offered)) await this.#write(state, run, rows, offered)
    state.surplus.push(...ranked.slice(keep).map(({ step }) => ({ run, step })))
    own.saved = saved
  }

  /** A checkpoint of the state is on the disk: what it does without goes. Rejects with FILE_WRITE. */
  async sweep(state: TuneState): Promise<void> {
    for (const { run, step } of state.surplus.splice(0)) {
      const path = keptPath(this.options, run, step)
      try {
        await unlink(path)
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') continue
        throw new FileError('FILE_WRITE', `The prompt ${path} could not be removed: ${(cause as Error).message}.`, { cause })
      }
    }
  }

  async #write(state: TuneState, run: number, { data, rows, dModel }: NativePromptRows, { step, metrics }: SavedPrompt): Promise<void> {
    const { model, options } = this
    const versions = { softprompt: VERSION, libtorch: model.libtorch }
    const report = { ...reportOf(options, run, state, this.data.summary, versions), bestStep: step, metrics }
    const metadata = promptMetadata(model, options, { ...options.runs[run]!, length: rows }, report, this.data.runs[run]!.train)
    await SoftPrompt.fromArray(data, { rows, dModel, metadata }).save(keptPath(options, run, step))
  }
}

function latestFirst(a: SavedPrompt, b: SavedPrompt): number {
  return b.step - a.step
}

/** The best first; of equal ones the earliest. */
function byMetric({ bestMetric, higherIsBetter }: Ranking): (a: SavedPrompt, b: SavedPrompt) => number {
  const value = ({ metrics }: SavedPrompt) => (higherIsBetter ? -metrics[bestMetric]! : metrics[bestMetric]!)
  return (a, b) => value(a) - value(b) || a.step - b.step
}
