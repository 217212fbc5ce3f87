import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readExamples } from '../data/index.js'
import type { Example } from '../dataset.js'
import type { T5 } from '../model.js'
import { SoftPrompt } from '../prompt.js'
import type { CellResult, DesignCell, EnsembleCell, ModelCell, MultitaskCell, PromptCell } from './cells.js'
import { costOf } from './cost.js'
import { promptCells } from './grid.js'
import { type Measuring, measure, scoreOf } from './measure.js'
import { nearestOf } from './nearest.js'
import type { Plan, Task } from './plan.js'
import type { ResultStore } from './store.js'

export interface Work extends Measuring {
  t5: T5
  folder: string
  store: ResultStore
}

type Timed = Omit<CellResult, 'seconds'>

/** Tunes the prompts of several cells of one model and task in one pass, keeps them as files, and measures them. */
export async function tunePrompts(work: Work, cells: readonly PromptCell[]): Promise<CellResult[]> {
  const { t5, plan, signal } = work
  const { task: name, sentinel } = cells[0] as PromptCell
  const task = taskOf(plan, name)
  const labels = cells.some(({ init }) => init === 'labels') ? await labelsOf(task, signal) : []
  const started = performance.now()
  const run = t5.tune({
    ...trainingOf(plan, task),
    ...{ preset: plan.preset, steps: plan.steps, task: name, sentinel, signal },
    runs: cells.map(({ seed, length, init }) => ({ seed, length, init: init === 'labels' ? { labels: labels.slice(0, length) } : init })),
  })
  const { runs } = await run.result
  const seconds = (performance.now() - started) / 1000 / cells.length
  await mkdir(join(work.folder, 'prompts'), { recursive: true })
  const results: CellResult[] = []
  for (const [i, cell] of cells.entries()) {
    const { prompt, report } = runs[i]!
    await prompt.save(promptPath(work, cell))
    const found = await measure(t5, task, prompt, work)
    const nearest = await nearestOf(t5, prompt, labels, signal)
    results.push({ ...found, ...learnedBy(t5, prompt.rows * prompt.dModel), seconds, bestStep: report.bestStep, nearest })
  }
  return results
}

/** Model tuning (section 3.1 of the paper). */
export function tuneModel(work: Work, { task: name, seed }: ModelCell): Promise<CellResult> {
  const task = taskOf(work.plan, name)
  return timed(async () => {
    const { model, bestStep } = await finetuned(work, { ...trainingOf(work.plan, task), seed })
    await using tuned = model
    return { ...(await measure(tuned, task, null, work)), ...learnedBy(tuned), bestStep }
  })
}

/** Model tuning on all tasks, whose names go in front of the inputs. */
export function tuneMultitask(work: Work, { seed }: MultitaskCell): Promise<CellResult> {
  const { plan, signal } = work
  const names = Object.keys(plan.tasks)
  return timed(async () => {
    const train = await together(plan, (task) => task.train, signal)
    const validation = await together(plan, (task) => task.validation, signal, Math.ceil(plan.validationRows / names.length))
    const { model, bestStep } = await finetuned(work, {
      train,
      validation,
      batchSize: plan.batchSize,
      metrics: [plan.metric],
      tasks: names,
      seed,
    })
    await using tuned = model
    const scores: Record<string, number> = {}
    for (const name of names) {
      const data = await rowsOf(name, taskOf(plan, name).test, signal, plan.testRows)
      const found = await tuned.evaluate({ data, metrics: [plan.metric], signal })
      scores[name] = scoreOf(found, plan)
    }
    return { scores, ...learnedBy(tuned), bestStep }
  })
}

/** Prompt design: the text in front of the input that does best on the validation rows. Answers are chosen among the labels. */
export function designPrompt(work: Work, { task: name }: DesignCell): Promise<CellResult> {
  const { t5, plan, signal } = work
  const task = taskOf(plan, name)
  return timed(async () => {
    const labels = await labelsOf(task, signal)
    const score = async (text: string, path: string, sample: number) => {
      const data = (await examplesOf(path, signal, sample)).map(({ input, target }) => ({ input: `${text} ${input}`.trim(), target }))
      return scoreOf(await t5.evaluate({ data, labels, metrics: [plan.metric], signal }), plan)
    }
    let best = { text: '', validation: -Infinity }
    for (const text of ['', ...task.texts]) {
      const validation = await score(text, task.validation, plan.validationRows)
      if (validation > best.validation) best = { text, validation }
    }
    return { scores: { test: await score(best.text, task.test, plan.testRows) }, ...learnedBy(t5, 0), text: best.text }
  })
}

/** The prompts of the cell's seeds by vote (section 6), and what asking them in one batch costs. */
export function askTogether(work: Work, cell: EnsembleCell): Promise<CellResult> {
  const { t5, plan } = work
  const task = taskOf(plan, cell.task)
  return timed(async () => {
    const members = promptCells(plan, cell.model, cell.task, cell)
    const lost = members.filter((member) => !existsSync(promptPath(work, member)))
    if (lost.length > 0) await tunePrompts(work, lost)
    const prompts = await Promise.all(members.map((member) => SoftPrompt.load(promptPath(work, member))))
    const found = await measure(t5, task, SoftPrompt.ensemble(prompts), work)
    const learned = prompts.reduce((sum, { rows, dModel }) => sum + rows * dModel, 0)
    const inputs = (await examplesOf(task.test, work.signal, plan.batchSize)).map(({ input }) => input)
    return { ...found, ...learnedBy(t5, learned), cost: await costOf(t5, prompts, inputs, work.signal) }
  })
}

const taskOf = (plan: Plan, name: string): Task => (plan.tasks[name] ?? plan.shifts[name]) as Task

/** What prompts and models are trained on alike. */
function trainingOf({ batchSize, metric, validationRows }: Plan, { train, validation }: Task) {
  return { train, validation: { path: validation, sample: validationRows }, batchSize, metrics: [metric] }
}

async function finetuned({ t5, plan, signal }: Work, options: Parameters<T5['finetune']>[0]): Promise<{ model: T5; bestStep: number }> {
  const rate = plan.modelLearningRate !== undefined && { learningRate: plan.modelLearningRate }
  const { model, report } = await t5.finetune({ steps: plan.modelSteps, signal, ...rate, ...options }).result
  return { model, bestStep: report.bestStep }
}

function learnedBy({ info }: T5, learned?: number): Pick<CellResult, 'learned' | 'parameters'> {
  return { learned: learned ?? info.parameterCount, parameters: info.parameterCount }
}

async function timed(work: () => Promise<Timed>): Promise<CellResult> {
  const started = performance.now()
  return { ...(await work()), seconds: (performance.now() - started) / 1000 }
}

function promptPath({ folder, store }: Work, cell: PromptCell): string {
  return join(folder, 'prompts', `${store.key(cell)}.safetensors`)
}

async function examplesOf(path: string, signal: AbortSignal, sample?: number): Promise<Example[]> {
  const source = sample === undefined ? path : { path, sample }
  return [...(await readExamples(source, { signal })).examples]
}

/** A task's rows as the multi-task model is asked. */
async function rowsOf(task: string, path: string, signal: AbortSignal, sample: number): Promise<Example[]> {
  return (await examplesOf(path, signal, sample)).map(({ input, target }) => ({ input: `${task}: ${input}`, target }))
}

async function together({ tasks }: Plan, pick: (task: Task) => string, signal: AbortSignal, sample?: number): Promise<Example[]> {
  const each = await Promise.all(
    Object.entries(tasks).map(async ([task, files]) => (await examplesOf(pick(files), signal, sample)).map((row) => ({ ...row, task }))),
  )
  return each.flat()
}

/** The distinct targets of the training rows. */
async function labelsOf({ train }: Task, signal: AbortSignal): Promise<string[]> {
  const targets = (await examplesOf(train, signal)).map(({ target }) => target)
  return [...new Set(targets.filter((target) => typeof target === 'string'))].sort()
}
