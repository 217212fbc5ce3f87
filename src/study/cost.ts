import type { Example } from '../dataset.js'
import type { T5 } from '../model.js'
import { SoftPrompt } from '../prompt.js'
import type { EnsembleCost } from './cells.js'

/** Rounds of both forms, in turns; the first warms up. */
const ROUNDS = 4

/** What it costs to ask several prompts in one batch, and one after the other: the least of the rounds each. */
export async function costOf(
  t5: T5,
  prompts: readonly SoftPrompt[],
  inputs: readonly Example['input'][],
  signal: AbortSignal,
): Promise<EnsembleCost> {
  const seconds = { together: Infinity, apart: Infinity }
  const ask = async (prompt: Parameters<T5['generate']>[1]) => void (await t5.generate([...inputs], { ...prompt, maxNewTokens: 8, signal }))
  for (let round = 0; round < ROUNDS; round++) {
    const together = await secondsOf(() => ask({ prompt: SoftPrompt.ensemble(prompts) }))
    const apart = await secondsOf(async () => {
      for (const prompt of prompts) await ask({ prompt })
    })
    if (round === 0) continue
    seconds.together = Math.min(seconds.together, together)
    seconds.apart = Math.min(seconds.apart, apart)
  }
  const promptBytes = prompts.reduce((sum, { data }) => sum + data.byteLength, 0)
  const perNumber = t5.dtype === 'bfloat16' ? 2 : 4
  return { rows: inputs.length, ...seconds, promptBytes, modelBytes: prompts.length * perNumber * t5.info.parameterCount }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}
