import { createHash } from 'node:crypto'

export const INITS = ['vocabulary', 'uniform', 'labels'] as const
export type StudyInit = (typeof INITS)[number]

/** A prompt of one seed. */
export interface PromptCell {
  kind: 'prompt'
  model: string
  task: string
  length: number
  init: StudyInit
  /** Its targets begin with a sentinel. */
  sentinel: boolean
  seed: number
}

/** All parameters of the model. */
export interface ModelCell {
  kind: 'model'
  model: string
  task: string
  seed: number
}

/** All parameters, for all tasks at once. */
export interface MultitaskCell {
  kind: 'multitask'
  model: string
  seed: number
}

/** No training: the best of some texts in front of the input. */
export interface DesignCell {
  kind: 'design'
  model: string
  task: string
}

/** The prompts of several seeds together. */
export interface EnsembleCell {
  kind: 'ensemble'
  model: string
  task: string
  length: number
  init: StudyInit
  seeds: number[]
}

/** One thing to train or to measure. */
export type Cell = PromptCell | ModelCell | MultitaskCell | DesignCell | EnsembleCell

/** What came of a cell. Survives JSON. */
export interface CellResult {
  /** The plan's metric on the test rows ('test') and on those from elsewhere, by their names; of several tasks by the tasks' names. */
  scores: Record<string, number>
  /** The share of the test outputs that are no label. */
  invalid?: number
  /** Numbers that were learned, and those of the model. */
  learned: number
  parameters: number
  seconds: number
  bestStep?: number
  /** Of the best text in front of the input. */
  text?: string
  nearest?: Nearest
  cost?: EnsembleCost
}

/** What the rows of a prompt resemble (section 7 of the paper). */
export interface Nearest {
  /** The nearest tokens of the first rows. */
  rows: string[][]
  /** The share of pairs among a row's five nearest tokens that begin alike, over all rows; and the same of five tokens drawn from the vocabulary. */
  alike: number
  alikeByChance: number
  /** Labels, and how many of them have a token of theirs among the five nearest of some row. */
  labels: number
  labelsFound: number
}

/** Seconds for the same rows: one batch that holds a copy for each prompt, and one prompt after the other. */
export interface EnsembleCost {
  rows: number
  together: number
  apart: number
  /** Bytes of the prompts, and of as many models. */
  promptBytes: number
  modelBytes: number
}

export function cellName(cell: Cell): string {
  switch (cell.kind) {
    case 'prompt':
      return `${cell.model}, ${cell.task}, ${cell.length} rows, ${cell.init}${cell.sentinel ? ', sentinel' : ''}, seed ${cell.seed}`
    case 'model':
      return `${cell.model}, ${cell.task}, all parameters, seed ${cell.seed}`
    case 'multitask':
      return `${cell.model}, all tasks, all parameters, seed ${cell.seed}`
    case 'design':
      return `${cell.model}, ${cell.task}, a text as prompt`
    case 'ensemble':
      return `${cell.model}, ${cell.task}, ${cell.length} rows, ${cell.init}, the ${cell.seeds.length} seeds together`
  }
}

/** The same for the same cell under the same settings; a new one where anything differs that its result depends on. */
export function cellKey(cell: Cell, settings: object): string {
  return createHash('sha256')
    .update(JSON.stringify([sorted(cell), sorted(settings)]))
    .digest('hex')
    .slice(0, 12)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, sorted(one)]))
}
