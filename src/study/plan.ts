import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { FileError, OptionError } from '../errors.js'
import { boolean, checkOptions, integer, invalidOption, isObject, listOf, number, oneOf, strings, text } from '../options/check.js'
import { metricList } from '../options/metrics.js'

export type StudyInit = 'vocabulary' | 'uniform' | { labels: string[] }

/** What is to be found out; the paper varies one thing at a time, and so does this. Paths are taken from the plan's folder. */
export interface Plan {
  /** Names of models, and where they are. */
  models: Record<string, string>
  train: string
  validation: string
  /** What results are measured on. */
  test: string
  /** The same task elsewhere: names, and data files that nothing learns from. */
  shifted: Record<string, string>
  /** Models adapted to text first, as further models: their steps; 0 is the model itself. */
  adapt: { text: string; steps: number[]; windowLength: number; batchSize: number } | undefined
  /** The first is what the other things are varied with. */
  lengths: number[]
  inits: StudyInit[]
  /** A prompt for each, in one pass; all of them are the ensemble. */
  seeds: number[]
  steps: number
  batchSize: number
  preset: 'fast' | 'paper'
  metric: string
  /** Model tuning too, beside the prompts. */
  finetune: boolean
  finetuneSteps: number
  learningRate: number | undefined
}

const paths = (value: unknown, name: string): Record<string, string> => {
  if (!isObject(value) || Object.keys(value).length === 0) throw invalidOption(name, value, 'an object of paths by name')
  return Object.fromEntries(Object.entries(value).map(([key, path]) => [key, text(path, `${name}.${key}`)]))
}

const init = (value: unknown, name: string): StudyInit => {
  if (value === 'vocabulary' || value === 'uniform') return value
  if (isObject(value) && 'labels' in value) return { labels: strings(value.labels, `${name}.labels`) }
  throw invalidOption(name, value, "'vocabulary', 'uniform' or { labels: [...] }")
}

const count = integer(1)

const CHECKS = {
  models: paths,
  train: text,
  validation: text,
  test: text,
  shifted: paths,
  adapt: (value: unknown, name: string) =>
    checkOptions(
      'study',
      value,
      { text, steps: listOf(integer(0), 'numbers of steps'), windowLength: integer(4), batchSize: count },
      `${name}.`,
    ),
  lengths: listOf(count, 'lengths'),
  inits: listOf(init, 'initialisations'),
  seeds: listOf(integer(0), 'seeds'),
  steps: count,
  batchSize: count,
  preset: oneOf('fast', 'paper'),
  metric: text,
  finetune: boolean,
  finetuneSteps: count,
  learningRate: number({ above: 0 }),
}

/** Reads a plan, a JSON file. Rejects with `FILE_*` or OPTION_INVALID. */
export async function readPlan(path: string): Promise<Plan> {
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'FILE_NOT_FOUND' : 'FILE_READ'
    throw new FileError(code, `The plan ${path} could not be read: ${(cause as Error).message}.`, { cause })
  }
  let given: unknown
  try {
    given = JSON.parse(content)
  } catch (cause) {
    throw new OptionError('OPTION_INVALID', `The plan ${path} is not JSON: ${(cause as Error).message}.`)
  }
  return resolvePlan(given, dirname(resolve(path)))
}

export function resolvePlan(given: unknown, folder: string): Plan {
  const plan = checkOptions('study', given, CHECKS)
  const { models, train, validation, test } = plan
  for (const name of ['models', 'train', 'validation', 'test'] as const)
    if (plan[name] === undefined) throw new OptionError('OPTION_INVALID', `The plan has no '${name}'.`)
  const at = (path: string) => resolve(folder, path)
  const all = (named: Record<string, string>) => Object.fromEntries(Object.entries(named).map(([name, path]) => [name, at(path)]))
  const { metric = 'accuracy', steps = 400, adapt } = plan
  metricList([metric], 'metric')
  if (adapt && (adapt.text === undefined || adapt.steps === undefined))
    throw new OptionError('OPTION_INVALID', "The plan's 'adapt' needs 'text' and 'steps'.")
  return {
    models: all(models!),
    ...{ train: at(train!), validation: at(validation!), test: at(test!), shifted: all(plan.shifted ?? {}) },
    adapt: adapt && { windowLength: 512, batchSize: 32, ...adapt, text: at(adapt.text!), steps: adapt.steps! },
    ...{ lengths: plan.lengths ?? [20], inits: plan.inits ?? ['vocabulary'], seeds: plan.seeds ?? [0, 1, 2] },
    ...{ steps, batchSize: plan.batchSize ?? 32, preset: plan.preset ?? 'fast', metric, learningRate: plan.learningRate },
    ...{ finetune: plan.finetune ?? false, finetuneSteps: plan.finetuneSteps ?? steps },
  }
}

/** One thing to train and measure. */
export type Cell =
  | { kind: 'prompt'; model: string; adaptSteps: number; length: number; init: StudyInit }
  | { kind: 'model'; model: string; adaptSteps: number }

/** The cells of a plan: each length with the first initialisation, each initialisation with the first length; each model, at each number of adaptation steps. */
export function cellsOf({ models, adapt, lengths, inits, finetune }: Plan): Cell[] {
  const [length, start] = [lengths[0] as number, inits[0] as StudyInit]
  const prompts = [...lengths.map((one) => ({ length: one, init: start })), ...inits.slice(1).map((one) => ({ length, init: one }))]
  return Object.keys(models).flatMap((model) =>
    (adapt?.steps ?? [0]).flatMap((adaptSteps): Cell[] => [
      ...prompts.map((prompt): Cell => ({ kind: 'prompt', model, adaptSteps, ...prompt })),
      ...(finetune ? [{ kind: 'model', model, adaptSteps } as const] : []),
    ]),
  )
}

export function initName(init: StudyInit): string {
  return typeof init === 'string' ? init : 'labels'
}

export function cellName(cell: Cell): string {
  const model = cell.adaptSteps > 0 ? `${cell.model} adapted ${cell.adaptSteps} steps` : cell.model
  return cell.kind === 'model' ? `${model}, all parameters` : `${model}, ${cell.length} rows, ${initName(cell.init)}`
}
