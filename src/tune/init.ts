import type { Frozen } from '../frozen.js'
import type { NativeInit } from '../native.js'
import type { ResolvedRun } from '../options/tune.js'
import { checkPromptFor } from '../prompt.js'
import { requireTokenizer, tokenRows } from '../rows.js'

/** The paper samples from the 5,000 first ids, the most common pieces. */
export const SAMPLED_FROM = 5000

/** The paper's text says [-0.5, 0.5]. */
export const UNIFORM = { low: -0.5, high: 0.5 }

/** How the prompt starts, as it crosses to the native module. */
export function nativeInit(model: Frozen, { init, prompt }: ResolvedRun): NativeInit {
  const sampledFrom = SAMPLED_FROM
  if (typeof init === 'object' && 'mean' in init) for (const one of init.mean) checkPromptFor(model, one, 'A prompt to start from')
  if (prompt) return { kind: 'prompt', prompt: checkPromptFor(model, prompt, 'The prompt to start from'), sampledFrom }
  if (init === 'vocabulary') return { kind: 'vocabulary', sampledFrom }
  if (init === 'uniform') return { kind: 'uniform', ...UNIFORM }
  if ('uniform' in init) return { kind: 'uniform', low: init.uniform[0], high: init.uniform[1] }
  const encode = (text: string) => requireTokenizer(model, "Option 'prompt.init'").encode(text)
  if ('labels' in init) return { kind: 'labels', labels: tokenRows(init.labels.map(encode)), sampledFrom }
  return { kind: 'text', labels: tokenRows([encode((init as { text: string }).text)]), sampledFrom }
}
