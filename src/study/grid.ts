import type { DesignCell, EnsembleCell, ModelCell, MultitaskCell, PromptCell } from './cells.js'
import type { Plan } from './plan.js'

// The cells that findings are made of: where nothing else is said, the plan's length, its first initialisation that is no label's, and all its seeds.

export type PromptChoice = Partial<Pick<PromptCell, 'length' | 'init' | 'sentinel'>> & { seeds?: readonly number[] }

export function promptCells(plan: Plan, model: string, task: string, choice: PromptChoice = {}): PromptCell[] {
  const { seeds = plan.seeds, length = plan.length, init = usualInit(plan), sentinel = false } = choice
  return seeds.map((seed) => ({ kind: 'prompt', model, task, length, init, sentinel, seed }))
}

export function modelCells({ seeds }: Plan, model: string, task: string): ModelCell[] {
  return seeds.map((seed) => ({ kind: 'model', model, task, seed }))
}

export function multitaskCells({ seeds }: Plan, model: string): MultitaskCell[] {
  return seeds.map((seed) => ({ kind: 'multitask', model, seed }))
}

export const designCell = (model: string, task: string): DesignCell => ({ kind: 'design', model, task })

export const ensembleSeeds = ({ ensemble }: Plan): number[] => Array.from({ length: ensemble }, (_, seed) => seed)

export function ensembleCell(plan: Plan, model: string, task: string): EnsembleCell {
  return { kind: 'ensemble', model, task, length: plan.length, init: usualInit(plan), seeds: ensembleSeeds(plan) }
}

export const usualInit = ({ inits }: Plan) => inits.find((init) => init === 'vocabulary') ?? inits[0]!

export const modelNames = ({ models }: Plan): string[] => Object.keys(models)
export const taskNames = ({ tasks }: Plan): string[] => Object.keys(tasks)
