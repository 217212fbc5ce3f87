import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadOptions } from '../load.js'
import { T5 } from '../model.js'
import { type AnyPrompt, SoftPrompt } from '../prompt.js'
import { writeWhole } from '../writable.js'
import { type Cell, cellName, cellsOf, type Plan } from './plan.js'

/** What came of a cell; kept as JSON. */
export interface CellResult {
  cell: Cell
  /** Numbers that were learned, of one prompt or of the model. */
  learned: number
  /** Of the model. */
  parameters: number
  /** By data set ('test' and the shifted ones): the plan's metric of each seed. */
  scores: Record<string, number[]>
  /** By data set: of all seeds' prompts together. */
  ensemble: Record<string, number>
  /** On the test set: the share of outputs that are no target at all; null for free text. */
  invalid: number | null
  /** The nearest tokens of the first rows of the first seed's prompt. */
  nearest: string[][]
  seconds: number
}

export interface StudyOptions {
  folder: string
  load: LoadOptions
  signal: AbortSignal
  /** Of each cell, when it begins (or was found) and ends. */
  tell(what: string): void
}

const ROWS = 10

/** Trains and measures what is not there yet, and gives all results. What is there stays: a study that was stopped goes on. */
export async function runStudy(plan: Plan, options: StudyOptions): Promise<CellResult[]> {
  await mkdir(join(options.folder, 'cells'), { recursive: true })
  const cells = cellsOf(plan)
  const results: CellResult[] = []
  for (const [i, cell] of cells.entries()) {
    options.signal.throwIfAborted()
    const path = join(options.folder, 'cells', `${fileName(plan, cell)}.json`)
    const found = existsSync(path)
    options.tell(`${i + 1}/${cells.length} ${cellName(cell)}${found ? ': done before' : ''}`)
    if (!found) await writeWhole(path, `${JSON.stringify(await runCell(plan, cell, options), null, 2)}\n`, 'The result')
    results.push(JSON.parse(await readFile(path, 'utf8')) as CellResult)
  }
  return results
}

/** Changes with whatever the result depends on. */
function fileName(plan: Plan, cell: Cell): string {
  const { models, lengths: _, inits: __, finetune: ___, adapt, ...settings } = plan
  const basis = JSON.stringify({ ...settings, model: models[cell.model], adapt: cell.adaptSteps > 0 && { ...adapt, steps: 0 }, cell })
  const digest = createHash('sha256').update(basis).digest('hex').slice(0, 8)
  return `${cellName(cell).replace(/[^a-z0-9.-]+/gi, '-')}-${digest}`
}

async function runCell(plan: Plan, cell: Cell, options: StudyOptions): Promise<CellResult> {
  const started = performance.now()
  const t5 = await T5.load(await modelOf(plan, cell, options), { ...options.load, signal: options.signal })
  try {
    const found = cell.kind === 'prompt' ? await tunePrompts(t5, plan, cell, options) : await tuneModel(t5, plan, options)
    return { cell, parameters: t5.info.parameterCount, ...found, seconds: (performance.now() - started) / 1000 }
  } finally {
    await t5.dispose()
  }
}

/** The path of the cell's model, which is adapted first where that was not done yet. */
async function modelOf(plan: Plan, { model, adaptSteps }: Cell, { folder, load, signal, tell }: StudyOptions): Promise<string> {
  const path = plan.models[model] as string
  if (adaptSteps === 0 || !plan.adapt) return path
  const out = join(folder, 'models', `${model}-${adaptSteps}`)
  if (existsSync(out)) return out
  tell(`adapting ${model}, ${adaptSteps} steps`)
  await mkdir(join(folder, 'models'), { recursive: true })
  const t5 = await T5.load(path, { ...load, signal })
  try {
    const { text, windowLength, batchSize } = plan.adapt
    const { model: adapted } = await t5.adapt({ text, windowLength, batchSize, steps: adaptSteps, signal }).result
    await adapted.save(out)
    await adapted.dispose()
    return out
  } finally {
    await t5.dispose()
  }
}

type Found = Omit<CellResult, 'cell' | 'parameters' | 'seconds'>

async function tunePrompts(t5: T5, plan: Plan, { length, init }: Cell & { kind: 'prompt' }, { signal }: StudyOptions): Promise<Found> {
  const { train, validation, steps, batchSize, preset, seeds, metric, learningRate } = plan
  const run = t5.tune({
    ...{ train, validation, steps, batchSize, preset, metrics: [metric], prompt: { length, init }, signal },
    ...{ runs: seeds.map((seed) => ({ seed })), ...(learningRate !== undefined && { learningRate }) },
  })
  const prompts = (await run.result).runs.map(({ prompt }) => prompt)
  const each = await Promise.all(prompts.map((prompt) => measure(t5, plan, prompt, signal)))
  const together = await measure(t5, plan, SoftPrompt.ensemble(prompts), signal)
  const explained = await t5.explain(prompts[0] as SoftPrompt, { nearest: 3, signal })
  return {
    learned: length * t5.config.dModel,
    scores: Object.fromEntries(Object.keys(together.scores).map((name) => [name, each.map(({ scores }) => scores[name] as number)])),
    ensemble: together.scores,
    invalid: meanOf(each.map(({ invalid }) => invalid)),
    nearest: explained.rows.slice(0, ROWS).map(({ nearest }) => nearest.map(({ token, id }) => token ?? String(id))),
  }
}

async function tuneModel(t5: T5, plan: Plan, { signal }: StudyOptions): Promise<Found> {
  const { train, validation, finetuneSteps, batchSize, seeds, metric } = plan
  const each: { scores: Record<string, number>; invalid: number | null }[] = []
  for (const seed of seeds) {
    const run = t5.finetune({ train, validation, steps: finetuneSteps, batchSize, metrics: [metric], seed, signal })
    const { model } = await run.result
    each.push(await measure(model, plan, null, signal))
    await model.dispose()
  }
  const names = Object.keys(each[0]!.scores)
  return {
    learned: t5.info.parameterCount,
    scores: Object.fromEntries(names.map((name) => [name, each.map(({ scores }) => scores[name] as number)])),
    ...{ ensemble: {}, invalid: meanOf(each.map(({ invalid }) => invalid)), nearest: [] },
  }
}

/** The plan's metric on the test set and the shifted ones. */
async function measure(t5: T5, plan: Plan, prompt: AnyPrompt | null, signal: AbortSignal) {
  const scores: Record<string, number> = {}
  let invalid: number | null = null
  for (const [name, data] of Object.entries({ test: plan.test, ...plan.shifted })) {
    const { metrics, predictions } = await t5.evaluate({ data, prompt, metrics: [plan.metric], signal })
    scores[name] = metrics[plan.metric] ?? (Object.values(metrics)[0] as number)
    const targets = new Set(predictions.map(({ target }) => target))
    if (name === 'test' && targets.size <= predictions.length / 2)
      invalid = predictions.filter(({ prediction }) => !targets.has(prediction)).length / predictions.length
  }
  return { scores, invalid }
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}
