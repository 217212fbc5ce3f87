import pc from 'picocolors'
import { OptionError, SoftPromptError } from '../errors.js'

export const ExitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** The reason that Ctrl-C aborts with. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  constructor() {
    super('interrupted')
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return ExitCode.interrupted
  return OptionError.isInstance(error) ? ExitCode.usage : ExitCode.failed
}

/** What a person reads: the code and what to do; the stack only on request. */
export function explain(error: unknown, verbose: boolean): string {
  if (error instanceof Interrupted) return 'Interrupted.'
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  const head = SoftPromptError.isInstance(error)
    ? `${pc.red('error')} ${pc.bold(error.code)}: ${message}`
    : `${pc.red('error')}: ${message}`
  if (verbose) return `${head}\n${stack ?? ''}`
  return SoftPromptError.isInstance(error) ? head : `${head}\n(run it with --verbose for details)`
}
