import { type CallSite, errorFromNative, SoftPromptError } from './errors.js'
import type { NativeJob } from './native.js'

/** What belongs to one call of the user: where it was made, and what may stop it. */
export interface Call {
  site: CallSite
  signal?: AbortSignal | undefined
}

/**
 * Waits for native work. An abort of the call's signal cancels it, and the promise rejects with `signal.reason` once the work has really stopped. Native
 * failures become the package's errors, with the JavaScript stack of the call.
 */
export async function finish<T>({ site, signal }: Call, start: () => NativeJob<T>): Promise<T> {
  signal?.throwIfAborted()
  const cancel = () => job?.cancel()
  let job: NativeJob<T> | undefined
  try {
    job = start()
    signal?.addEventListener('abort', cancel, { once: true })
    const value = await job.promise
    signal?.throwIfAborted()
    return value
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    throw errorFromNative(error, site)
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/** The work of a public call. An error that was made after the caller's frames had left the stack gets them back, below its own. */
export async function forCall<T>(site: CallSite, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const frames = site.stack?.slice(site.stack.indexOf('\n    at ') + 1) ?? ''
    const known = SoftPromptError.isInstance(error) && error.stack?.includes(frames.split('\n', 1)[0]!)
    if (SoftPromptError.isInstance(error) && !known) error.stack = `${error.stack}\n${frames}`
    throw error
  }
}
