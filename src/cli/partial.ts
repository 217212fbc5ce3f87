import type { TuneResult } from '../tune/run.js'
import { note } from './output.js'

/** After an interruption or a failure: keeps what the run had learned until then, if it had begun. */
export async function keepPartial(error: unknown, out: string, save: (partial: TuneResult) => Promise<void>): Promise<void> {
  const partial = (error as { partial?: TuneResult } | null)?.partial
  if (!partial || partial.report.steps === 0) return
  await save(partial)
  const { bestMetric, bestStep, history } = partial.report
  note(`Saved the ${bestMetric !== null && history.length > 0 ? 'best prompt so far' : 'prompt'} (step ${bestStep}) to ${out}.`)
}
