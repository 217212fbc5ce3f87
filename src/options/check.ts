import { inspect } from 'node:util'
import { OptionError } from '../errors.js'

/** Turns what a caller gave for option `name` into a value that is known to be right, or throws OPTION_INVALID. */
export type Check<T> = (value: unknown, name: string) => T

type Checks = Record<string, Check<unknown>>
export type Checked<S extends Checks> = { [K in keyof S]?: ReturnType<S[K]> }

/** The error of a wrong option: names it, shows its value, and says what is allowed. */
export function invalidOption(name: string, value: unknown, allowed: string): OptionError {
  return new OptionError('OPTION_INVALID', `Option '${name}' is ${show(value)}, but must be ${allowed}.`)
}

export function unsupportedOption(name: string, what: string): OptionError {
  return new OptionError('OPTION_UNSUPPORTED', `Option '${name}': ${what}`)
}

/** A value as it may stand in a message: one line, cut short. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 0, breakLength: Infinity, maxArrayLength: 3 })
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/**
 * Checks an options object of `call` against `checks`: every name must be known, every value that is given (not undefined) right. `prefix` goes before
 * the names in messages ('optimizer.').
 */
export function checkOptions<S extends Checks>(call: string, given: unknown, checks: S, prefix = ''): Checked<S> {
  if (given === undefined) return {} as Checked<S>
  if (!isObject(given)) throw new OptionError('OPTION_INVALID', `${call}: the options are ${show(given)}, but must be an object.`)
  const checked: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (!check)
      throw unknownOption(
        call,
        prefix + name,
        Object.keys(checks).map((known) => prefix + known),
      )
    if (value !== undefined) checked[name] = check(value, prefix + name)
  }
  return checked as Checked<S>
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

function unknownOption(call: string, name: string, known: string[]): OptionError {
  const near = nearest(name, known)
  const help = near ? `Did you mean '${near}'?` : `Known are: ${known.join(', ')}.`
  return new OptionError('OPTION_INVALID', `${call} has no option '${name}'. ${help}`)
}

/** The known word that a typing slip may have meant: at most a third of its letters off. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    const above = rows[i - 1]!
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2]![j - 2]! + 1 : replaced
      row.push(Math.min(replaced, swapped, above[j]! + 1, row[j - 1]! + 1))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}

// The kinds of values that options have.

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check<number> {
  const allowed = max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`
  return (value, name) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) throw invalidOption(name, value, allowed)
    return value as number
  }
}

export interface Bounds {
  min?: number
  max?: number
  above?: number
  below?: number
}

export function number(bounds: Bounds = {}): Check<number> {
  const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = bounds
  const words = [
    'min' in bounds && `at least ${min}`,
    'above' in bounds && `above ${above}`,
    'max' in bounds && `at most ${max}`,
    'below' in bounds && `below ${below}`,
  ].filter(Boolean)
  const allowed = words.length ? `a finite number ${words.join(' and ')}` : 'a finite number'
  return (value, name) => {
    const right = typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max && value > above && value < below
    if (!right) throw invalidOption(name, value, allowed)
    return value
  }
}

export const boolean: Check<boolean> = (value, name) => {
  if (typeof value !== 'boolean') throw invalidOption(name, value, 'true or false')
  return value
}

export const text: Check<string> = (value, name) => {
  if (typeof value !== 'string' || value === '') throw invalidOption(name, value, 'a string that is not empty')
  return value
}

export function oneOf<const T extends string>(...words: T[]): Check<T> {
  return (value, name) => {
    if (typeof value === 'string' && (words as string[]).includes(value)) return value as T
    const near = typeof value === 'string' ? nearest(value, words) : undefined
    throw invalidOption(name, value, `one of ${words.map((word) => `'${word}'`).join(', ')}${near ? ` (did you mean '${near}'?)` : ''}`)
  }
}

export function listOf<T>(each: Check<T>, what: string): Check<T[]> {
  return (value, name) => {
    if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, value, `an array of ${what} with at least one entry`)
    return value.map((entry, i) => each(entry, `${name}[${i}]`))
  }
}

export const strings: Check<string[]> = listOf(text, 'strings')

export const callback: Check<(...args: never[]) => void> = (value, name) => {
  if (typeof value !== 'function') throw invalidOption(name, value, 'a function')
  return value as (...args: never[]) => void
}

export const signal: Check<AbortSignal> = (value, name) => {
  // By shape: another realm's signal (Electron, jsdom) is not an instance of ours.
  if (typeof value !== 'object' || value === null || !('aborted' in value) || !('addEventListener' in value))
    throw invalidOption(name, value, 'an AbortSignal')
  return value as AbortSignal
}

/** Seeds cross to C++ as doubles and become uint64: exact up to 2^53 - 1. */
export const seed: Check<number> = integer(0)
