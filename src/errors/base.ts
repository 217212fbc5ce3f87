import type { ErrorCode } from './codes.js'

const MARKER = Symbol.for('softprompt.error')

/**
 * The root of every error of this package. `code` is stable and meant for programs; `message` names the file, option or row and says what to do.
 *
 * @example
 * try {
 *   await T5.load('models/nano-t5')
 * } catch (error) {
 *   if (SoftPromptError.isInstance(error) && error.code === 'MODEL_NOT_FOUND') console.error(error.message)
 *   else throw error
 * }
 */
export class SoftPromptError extends Error {
  /** The class's name, which bundlers leave alone: what `isInstance` compares. */
  static readonly className: string = 'SoftPromptError'
  /** What went wrong, for programs; {@link ERROR_CODES} has the meaning of each. */
  readonly code: ErrorCode

  /** For the package itself: its calls throw what the code stands for. */
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.code = code
  }

  /** True for an error of this class, or of one below it, even when another copy of the package made it (where `instanceof` is false). */
  static isInstance<T extends typeof SoftPromptError>(this: T, value: unknown): value is InstanceType<T> {
    if (typeof value !== 'object' || value === null) return false
    const names = (value as { [MARKER]?: unknown })[MARKER]
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on is the one asked about
    return Array.isArray(names) && names.includes(this.className)
  }

  /** The names of the error's class and of those above it: what {@link isInstance} compares. */
  get [MARKER](): string[] {
    return [...new Set([SoftPromptError.className, this.name])]
  }
}

// On the prototype, as the built-in errors have it: the name is in the stack from the first moment and is not an own property.
export function nameClass(errorClass: typeof SoftPromptError): void {
  Object.defineProperty(errorClass.prototype, 'name', { value: errorClass.className, configurable: true, writable: true })
}

nameClass(SoftPromptError)
