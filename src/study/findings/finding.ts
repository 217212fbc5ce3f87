import type { Cell, CellResult } from '../cells.js'
import type { Plan } from '../plan.js'

export interface Table {
  title: string
  head: string[]
  rows: string[][]
}

export interface Bar {
  mean: number
  /** Standard deviation over the seeds. */
  spread: number
}

/** Values of several series: over a number, or in groups. */
export type Plot =
  | { kind: 'lines'; title: string; unit: string; series: { name: string; points: { x: number; y: number }[] }[] }
  | { kind: 'bars'; title: string; groups: string[]; series: { name: string; bars: Bar[] }[] }

/** What a finding's part of the page says. */
export interface Section {
  /** A sentence: what is seen here. */
  ours: string
  agrees: boolean
  plots: Plot[]
  tables: Table[]
  /** What a reader should bear in mind. */
  notes?: string[]
}

/** Results that are known to be there. */
export interface Results {
  get(cell: Cell): CellResult
  /** The scores of cells on a set ('test', a domain's name, a task's). */
  scores(cells: readonly Cell[], set?: string): number[]
}

/** One of the paper's findings: what has to be measured for it, and what is said of it. */
export interface Finding {
  title: string
  /** What the paper found, a sentence, and where it stands there. */
  paper: string
  /** What the plan needs for it and lacks. */
  lacks?(plan: Plan): string | undefined
  cells(plan: Plan): Cell[]
  section(plan: Plan, results: Results): Section
}
