import type { Cell, CellResult } from './cells.js'
import { FINDING_NAMES, FINDINGS, type FindingName, type Results, type Section } from './findings/index.js'
import type { Plan } from './plan.js'
import type { ResultStore } from './store.js'

export interface ToldSection extends Section {
  name: FindingName
  title: string
  paper: string
}

/** What a study has to say. */
export interface Told {
  /** Those that do not agree with the paper first, otherwise in the paper's order. */
  sections: ToldSection[]
  /** Findings that were not measured, and why. */
  left: { title: string; why: string }[]
}

/** The findings that the plan can measure, and of them those that are wanted. */
export function measurable(plan: Plan, only: readonly FindingName[] = FINDING_NAMES): FindingName[] {
  return only.filter((name) => lacksOf(name, plan) === undefined)
}

/** All that the results suffice for. */
export function tell(plan: Plan, store: ResultStore): Told {
  const sections: ToldSection[] = []
  const left: Told['left'] = []
  for (const name of FINDING_NAMES) {
    const { title, paper, cells, section } = FINDINGS[name]
    const lacks = lacksOf(name, plan)
    const missing = lacks === undefined ? cells(plan).filter((cell) => !store.get(cell)).length : 0
    if (lacks !== undefined) left.push({ title, why: `it needs ${lacks} in the plan` })
    else if (missing > 0) left.push({ title, why: `${missing} results are still to be measured` })
    else sections.push({ name, title, paper, ...section(plan, resultsOf(store)) })
  }
  return { sections: [...sections.filter(({ agrees }) => !agrees), ...sections.filter(({ agrees }) => agrees)], left }
}

/** What the plan has not that a finding needs. */
export const lacksOf = (name: FindingName, plan: Plan): string | undefined => {
  const finding: (typeof FINDINGS)[FindingName] & { lacks?(plan: Plan): string | undefined } = FINDINGS[name]
  return finding.lacks?.(plan)
}

function resultsOf(store: ResultStore): Results {
  const get = (cell: Cell): CellResult => store.get(cell) as CellResult
  return { get, scores: (cells, set = 'test') => cells.map((cell) => get(cell).scores[set] as number) }
}

export const verdict = ({ agrees, ours }: Section): string =>
  agrees ? `Ours agrees: ${lower(ours)}` : `Ours does not show this: ${lower(ours)}`

/** In mid-sentence; names of models and what is capital throughout stay. */
const lower = (sentence: string) => (/^[A-Z][a-z]/.test(sentence) ? sentence[0]!.toLowerCase() + sentence.slice(1) : sentence)

/** What the study was made with, a sentence. */
export function setting({ models, seeds, steps, modelSteps, batchSize, preset, testRows, metric }: Plan): string {
  const learned = steps === modelSteps ? `${steps} steps` : `${steps} steps for prompts and ${modelSteps} for models`
  return `${Object.keys(models).join(', ')}; ${learned} of ${batchSize}, preset ${preset}; ${metric} on up to ${testRows} test rows in percent, mean and standard deviation over ${seeds.length} seed${seeds.length === 1 ? '' : 's'}.`
}
