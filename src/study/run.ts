import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadOptions } from '../load.js'
import { type Cell, type CellResult, cellName, type PromptCell } from './cells.js'
import { StudyModels } from './models.js'
import type { Plan } from './plan.js'
import { ResultStore } from './store.js'
import { askTogether, designPrompt, tuneModel, tuneMultitask, tunePrompts, type Work } from './train.js'

export interface StudyOptions {
  /** Where results, prompts and adapted models are kept. */
  folder: string
  load: LoadOptions
  signal: AbortSignal
  /** Of each piece of work when it begins. */
  tell(what: string): void
}

/** Prompts of one pass. */
const TOGETHER = 6

/** Trains and measures the cells that are not in the folder yet; a study that was stopped goes on. Gives all results that the folder has. */
export async function runStudy(plan: Plan, cells: readonly Cell[], options: StudyOptions): Promise<ResultStore> {
  const { folder, signal, tell } = options
  await mkdir(folder, { recursive: true })
  const store = await ResultStore.open(join(folder, 'results.jsonl'), settingsOf(plan))
  await using models = new StudyModels(plan, options)
  const wanted = distinct(cells, store)
  const open = wanted.filter((cell) => !store.get(cell))
  tell(`${wanted.length} results, ${wanted.length - open.length} of them there`)
  let done = wanted.length - open.length
  for (const piece of piecesOf(open)) {
    signal.throwIfAborted()
    tell(`${done + 1}/${wanted.length} ${piece.map(cellName).join('; ')}`)
    const t5 = await models.get(piece[0]!.model)
    const results = await runPiece({ t5, plan, folder, store, signal }, piece)
    for (const [i, cell] of piece.entries()) await store.add(cell, results[i] as CellResult)
    done += piece.length
  }
  return store
}

/** What every result depends on. A model or data set is known by its name: one that has changed needs a new folder. */
function settingsOf({ steps, modelSteps, modelLearningRate, batchSize, preset, validationRows, testRows, metric }: Plan): object {
  return { steps, modelSteps, modelLearningRate, batchSize, preset, validationRows, testRows, metric }
}

function distinct(cells: readonly Cell[], store: ResultStore): Cell[] {
  return [...new Map(cells.map((cell) => [store.key(cell), cell])).values()]
}

/** Model by model; prompts of one task several at a time, and what is made of prompts after them. */
export function piecesOf(cells: readonly Cell[]): Cell[][] {
  const models = [...new Set(cells.map(({ model }) => model))]
  return models.flatMap((model) => {
    const own = cells.filter((cell) => cell.model === model)
    const prompts = own.filter((cell): cell is PromptCell => cell.kind === 'prompt')
    const groups = [...new Set(prompts.map(groupOf))].map((group) => prompts.filter((cell) => groupOf(cell) === group))
    return [...groups.flatMap(inPasses), ...own.filter(({ kind }) => kind !== 'prompt').map((cell) => [cell])]
  })
}

/** What prompts of one pass have in common, their model apart. */
const groupOf = ({ task, sentinel }: PromptCell) => `${task} ${sentinel}`

function inPasses(cells: readonly PromptCell[]): PromptCell[][] {
  return Array.from({ length: Math.ceil(cells.length / TOGETHER) }, (_, i) => cells.slice(TOGETHER * i, TOGETHER * (i + 1)))
}

async function runPiece(work: Work, piece: readonly Cell[]): Promise<CellResult[]> {
  const cell = piece[0] as Cell
  switch (cell.kind) {
    case 'prompt':
      return tunePrompts(work, piece as readonly PromptCell[])
    case 'model':
      return [await tuneModel(work, cell)]
    case 'multitask':
      return [await tuneMultitask(work, cell)]
    case 'design':
      return [await designPrompt(work, cell)]
    case 'ensemble':
      return [await askTogether(work, cell)]
  }
}
