import { SoftPromptError } from './base.js'
import { classOfCode, InternalError } from './classes.js'
import type { ErrorCode } from './codes.js'

/** Where a public call was made: taken while the caller's frames are still on the stack, used if the work fails later, on another thread. */
export interface CallSite {
  readonly stack?: string
}

/**
 * Remembers the stack of the call. `above` is the public function itself: its frame and those it called are left out, so that the first frame shown
 * is the user's own. Cheap: V8 formats the text only if somebody reads it.
 */
export function captureCall(above: (...args: never[]) => unknown = captureCall): CallSite {
  const site: CallSite = {}
  Error.captureStackTrace(site, above)
  return site
}

/**
 * Turns what the native module threw (an `Error` with a string `code`) into the class of its code, with the stack of the call in place of the native
 * one. An error of this package passes through; anything without a code of ours becomes an `InternalError` that keeps it as its cause.
 */
export function errorFromNative(error: unknown, call?: CallSite): SoftPromptError {
  if (SoftPromptError.isInstance(error)) return error
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  const text = typeof message === 'string' ? message : String(error)
  const ErrorClass = typeof code === 'string' ? classOfCode(code) : InternalError
  const typed =
    ErrorClass === InternalError ? new InternalError('INTERNAL', text, { cause: error }) : new ErrorClass(code as ErrorCode, text)
  if (call?.stack) typed.stack = `${typed.name}: ${text}\n${framesOf(call.stack)}`
  return typed
}

function framesOf(stack: string): string {
  const first = stack.search(/^ {4}at /m)
  return first < 0 ? '' : stack.slice(first)
}
