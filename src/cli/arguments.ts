import { InvalidArgumentError } from 'commander'
import type { AdaptOptions } from '../options/adapt.js'

/** Parsers for the values of flags. What is wrong with a number's range is said by the API. */

export function integer(value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !Number.isInteger(number)) throw new InvalidArgumentError('It must be an integer.')
  return number
}

export function real(value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It must be a number.')
  return number
}

/** 'a,b' as ['a', 'b']; for a flag that is repeated, all together. */
export function list(value: string, previous?: string[]): string[] {
  const parts = value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (parts.length === 0) throw new InvalidArgumentError('It must be words with commas between.')
  return [...(previous ?? []), ...parts]
}

/** '0,1,2' as numbers. */
export function integers(value: string, previous?: number[]): number[] {
  return [...(previous ?? []), ...list(value).map(integer)]
}

export function reals(value: string, previous?: number[]): number[] {
  return [...(previous ?? []), ...list(value).map(real)]
}

/** A flag that is repeated: each value as it is. */
export function repeated(value: string, previous?: string[]): string[] {
  return [...(previous ?? []), value]
}

/** How a prompt starts; prompts are still files. */
export type InitChoice =
  | 'vocabulary'
  | 'uniform'
  | { uniform: [number, number] }
  | { labels: string[] }
  | { text: string }
  | { prompt: string }
  | { mean: string[] }

export function init(value: string): InitChoice {
  if (value === 'vocabulary' || value === 'uniform') return value
  const [low, high, ...more] = value.startsWith('uniform:') ? reals(value.slice('uniform:'.length)) : []
  if (low !== undefined && high !== undefined && more.length === 0) return { uniform: [low, high] }
  if (value.startsWith('labels:')) return { labels: list(value.slice('labels:'.length)) }
  if (value.startsWith('text:') && value.length > 'text:'.length) return { text: value.slice('text:'.length) }
  if (value.startsWith('prompt:') && value.length > 'prompt:'.length) return { prompt: value.slice('prompt:'.length) }
  if (value.startsWith('mean:')) return { mean: list(value.slice('mean:'.length)) }
  throw new InvalidArgumentError(
    "It must be vocabulary, uniform, uniform:low,high, labels:a,b, text:'some words', prompt:FILE or mean:FILE,FILE.",
  )
}

/** 'prefix-lm', or 'prefix-lm:0.5,span-corruption:0.5'. What the names are is said by the API. */
export function objective(value: string): AdaptOptions['objective'] {
  if (!value.includes(':')) return value as AdaptOptions['objective']
  const shares = list(value).map((part) => part.split(':'))
  return Object.fromEntries(shares.map(([name, share]) => [name, real(share ?? '')]))
}
