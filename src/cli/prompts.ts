import type { Command } from 'commander'
import { OptionError } from '../errors.js'
import { type AnyPrompt, type EnsembleOptions, SoftPrompt } from '../prompt.js'
import { repeated } from './arguments.js'

export interface PromptFlags {
  prompt?: string[]
  combine?: EnsembleOptions['combine']
}

export function promptOptions(command: Command, bare: string): Command {
  return command
    .option('-p, --prompt <P>', `the soft prompt; repeat for an ensemble; without one the bare model ${bare}`, repeated)
    .option(
      '--combine <how>',
      'an ensemble answers by vote, or by average log-probability (default: vote; among --labels of evaluate average)',
    )
}

/** The prompts of the flags that were given: none, one, or an ensemble of several. */
export async function loadPrompts({ prompt: paths, combine }: PromptFlags): Promise<AnyPrompt | null> {
  if (combine !== undefined && (paths?.length ?? 0) < 2)
    throw new OptionError('OPTION_INVALID', '--combine is about an ensemble: give --prompt two times or more.')
  if (!paths) return null
  const prompts = await Promise.all(paths.map((path) => SoftPrompt.load(path)))
  return prompts.length === 1 ? (prompts[0] as SoftPrompt) : SoftPrompt.ensemble(prompts, { combine })
}
