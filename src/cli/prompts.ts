import { type AnyPrompt, SoftPrompt } from '../prompt.js'

/** The prompts of the flags that were given: none, one, or an ensemble of several. */
export async function loadPrompts(paths: readonly string[] | undefined): Promise<AnyPrompt | null> {
  if (!paths) return null
  const prompts = await Promise.all(paths.map((path) => SoftPrompt.load(path)))
  return prompts.length === 1 ? (prompts[0] as SoftPrompt) : SoftPrompt.ensemble(prompts)
}
