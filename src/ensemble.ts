import type { Generation } from './generate.js'
import { type AnyPrompt, PromptEnsemble, type SoftPrompt } from './prompt.js'
import type { Classification, Score } from './score.js'

/** The prompts that a row is asked with; [null] without one. */
export function membersOf(prompt: AnyPrompt | null): readonly (SoftPrompt | null)[] {
  return prompt instanceof PromptEnsemble ? prompt.prompts : [prompt]
}

/** Each row once for each of its prompts, those of a row side by side. */
export function perMember<R extends { prompt: AnyPrompt | null }>(
  rows: readonly R[],
): (Omit<R, 'prompt'> & { prompt: SoftPrompt | null })[] {
  return rows.flatMap((row) => membersOf(row.prompt).map((prompt) => ({ ...row, prompt })))
}

/** The results of `perMember` as one list a row. */
export function byRow<T>(rows: readonly { prompt: AnyPrompt | null }[], results: readonly T[]): T[][] {
  let next = 0
  return rows.map(({ prompt }) => {
    const from = next
    next += membersOf(prompt).length
    return results.slice(from, next)
  })
}

/** How far the prompts of an ensemble agree on an output. */
export interface GenerationEnsemble {
  /** The share of the prompts whose own output is this one, from 1 / their number (or 0 where none's is) to 1. */
  agreement: number
  /** Each prompt's own output, in their order. */
  members: Generation[]
}

/** How far the prompts of an ensemble agree on a label. */
export interface ClassificationEnsemble {
  /** The share of the prompts whose own label is this one. */
  agreement: number
  /** In nats, of the mean of the prompts' `probabilities`: how uncertain the label is at all. */
  entropy: number
  /** In nats: `entropy` less the mean entropy of each prompt's own `probabilities`; 0 where all say the same. How much of the uncertainty is between the prompts. */
  mutualInformation: number
  /** Each prompt's own answer, in their order. */
  members: Classification[]
}

/** How far the prompts of an ensemble agree on a target's probability. */
export interface ScoreEnsemble {
  /** Standard deviation of the prompts' own `logProb`, in nats. */
  deviation: number
  /** Each prompt's own answer, in their order. */
  members: Score[]
}

/**
 * The place of the output that most members gave. Of equally many votes, those win whose mean `logProb` is higher, then those of the earliest prompt; the voter
 * with the highest `logProb` stands for them, the earliest of equal ones.
 */
export function elected(outputs: readonly { key: string; logProb: number }[]): number {
  const parties = new Map<string, number[]>()
  outputs.forEach(({ key }, i) => {
    parties.set(key, [...(parties.get(key) ?? []), i])
  })
  const logProbOf = (i: number) => (outputs[i] as { logProb: number }).logProb
  const ranked = [...parties.values()].map((voters) => ({ voters, mean: meanOf(voters.map(logProbOf)) }))
  const best = ranked.reduce((a, b) =>
    b.voters.length > a.voters.length || (b.voters.length === a.voters.length && b.mean > a.mean) ? b : a,
  )
  return best.voters.reduce((a, b) => (logProbOf(b) > logProbOf(a) ? b : a))
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Element by element. */
export function meanRows(rows: readonly Float32Array[]): Float32Array {
  return (rows[0] as Float32Array).map((_, i) => meanOf(rows.map((row) => row[i] as number)))
}

export function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values)
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)))
}

/** In nats. */
export function entropyOf(probabilities: Float32Array): number {
  return probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0)
}
