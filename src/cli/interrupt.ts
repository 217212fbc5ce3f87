import { ExitCode, Interrupted } from './failure.js'

/**
 * Runs `work` with a signal that the first Ctrl-C (or a TERM signal) aborts, so that it can end cleanly; a second one ends the process at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(ExitCode.interrupted)
    controller.abort(new Interrupted())
    process.stderr.write('\nStopping. Press Ctrl-C again to quit at once.\n')
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
