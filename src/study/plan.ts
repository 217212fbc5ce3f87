import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { FileError, OptionError } from '../errors.js'
import { checkOptions, integer, invalidOption, isObject, listOf, number, oneOf, strings, text } from '../options/check.js'
import { metricList } from '../options/metrics.js'
import { INITS, type StudyInit } from './cells.js'

/** Files of rows { input, target }, and what the study knows of them. */
export interface Task {
  train: string
  validation: string
  test: string
  /** The same task in other domains: names, and files that nothing learns from. */
  elsewhere: Record<string, string>
  /** Prompts in words, of which the best is "prompt design". */
  texts: string[]
}

/** The main model as it was before its adaptation to language modelling, which the study does again in shorter forms. */
export interface Pretrained {
  model: string
  text: string[]
  /** Steps of adaptation, beside none and the main model's. */
  steps: number[]
  mainSteps: number
  windowLength: number
  batchSize: number
  learningRate: number | undefined
}

/** What is to be found out, and on what. All paths are absolute. */
export interface Plan {
  title: string
  /** Names of models and where they are, of one family, the smallest first. */
  models: Record<string, string>
  /** The model that the ablations are about. */
  main: string
  pretrained: Pretrained | undefined
  tasks: Record<string, Task>
  /** The tasks that the ablations are about. */
  ablations: string[]
  /** Tasks with an `elsewhere` alone, which the findings on sizes leave out. */
  shifts: Record<string, Task>
  lengths: number[]
  /** Where the length isn't what is varied. */
  length: number
  inits: StudyInit[]
  seeds: number[]
  /** Seeds of an ensemble. */
  ensemble: number
  steps: number
  modelSteps: number
  modelLearningRate: number | undefined
  batchSize: number
  preset: 'fast' | 'paper'
  validationRows: number
  testRows: number
  metric: string
}

const count = integer(1)
const named = <T>(value: unknown, name: string, one: (value: unknown, name: string) => T): Record<string, T> => {
  if (!isObject(value) || Object.keys(value).length === 0) throw invalidOption(name, value, 'an object with a name for each')
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, one(each, `${name}.${key}`)]))
}
const paths = (value: unknown, name: string) => named(value, name, text)
const TASK = { train: text, validation: text, test: text, elsewhere: paths, texts: strings }
const PRETRAINED = {
  ...{ model: text, text: strings, steps: listOf(count, 'numbers of steps'), mainSteps: count },
  ...{ windowLength: integer(4), batchSize: count, learningRate: number({ above: 0 }) },
}
const parts =
  <C extends Parameters<typeof checkOptions>[2]>(checks: C) =>
  (value: unknown, name: string) =>
    checkOptions<C>('study', value, checks, `${name}.`)
const tasks = (value: unknown, name: string) => named(value, name, parts(TASK))

const CHECKS = {
  ...{ title: text, models: paths, main: text, pretrained: parts(PRETRAINED), tasks, ablations: strings, shifts: tasks },
  ...{ lengths: listOf(count, 'lengths'), length: count, inits: listOf(oneOf(...INITS), 'initialisations') },
  ...{ seeds: listOf(integer(0), 'seeds'), ensemble: integer(2), steps: count, modelSteps: count, modelLearningRate: number({ above: 0 }) },
  ...{ batchSize: count, preset: oneOf('fast', 'paper'), validationRows: count, testRows: count, metric: text },
}

/** Reads a plan, a JSON file. `data`: where the paths of tasks and text start instead of at the plan's folder. Rejects with `FILE_*` or OPTION_INVALID. */
export async function readPlan(path: string, data?: string): Promise<Plan> {
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
  const folder = dirname(resolve(path))
  return resolvePlan(given, folder, data === undefined ? folder : resolve(data))
}

/** A plan with its defaults. Throws OPTION_INVALID. */
export function resolvePlan(given: unknown, folder: string, data = folder): Plan {
  const plan = checkOptions('study', given, CHECKS)
  const at = (path: string) => resolve(data, path)
  const task = (each: NonNullable<typeof plan.tasks>[string], name: string): Task => {
    for (const part of ['train', 'validation', 'test'] as const) if (each[part] === undefined) throw missing(`${name}.${part}`)
    const { train, validation, test, elsewhere = {}, texts = [] } = each
    return { train: at(train!), validation: at(validation!), test: at(test!), elsewhere: mapped(elsewhere, at), texts }
  }
  if (plan.models === undefined) throw missing('models')
  if (plan.tasks === undefined) throw missing('tasks')
  const models = mapped(plan.models, (path) => resolve(folder, path))
  const main = plan.main ?? (Object.keys(models).at(-1) as string)
  if (!(main in models)) throw invalidOption('main', main, `one of the models ${Object.keys(models).join(', ')}`)
  const taskNames = Object.keys(plan.tasks)
  const ablations = plan.ablations ?? taskNames
  for (const name of ablations)
    if (!taskNames.includes(name)) throw invalidOption('ablations', name, `some of the tasks ${taskNames.join(', ')}`)
  const { metric = 'accuracy', steps = 400, lengths = [1, 5, 20, 100, 150], length = 100 } = plan
  metricList([metric], 'metric')
  return {
    ...{ title: plan.title ?? 'A study of prompt tuning', models, main, ablations, metric, steps, lengths, length },
    pretrained: plan.pretrained && pretrainedOf(plan.pretrained, folder, at),
    tasks: mapped(plan.tasks, (each, name) => task(each, `tasks.${name}`)),
    shifts: mapped(plan.shifts ?? {}, (each, name) => task(each, `shifts.${name}`)),
    ...{ inits: plan.inits ?? ['uniform', 'vocabulary', 'labels'], seeds: plan.seeds ?? [0, 1, 2], ensemble: plan.ensemble ?? 5 },
    ...{ modelSteps: plan.modelSteps ?? steps, modelLearningRate: plan.modelLearningRate, batchSize: plan.batchSize ?? 32 },
    ...{ preset: plan.preset ?? 'fast', validationRows: plan.validationRows ?? 300, testRows: plan.testRows ?? 700 },
  }
}

function pretrainedOf(given: Partial<Pretrained>, folder: string, at: (path: string) => string): Pretrained {
  for (const part of ['model', 'text', 'mainSteps'] as const) if (given[part] === undefined) throw missing(`pretrained.${part}`)
  const { model, text: texts, steps = [], mainSteps, windowLength = 512, batchSize = 32, learningRate } = given
  return {
    ...{ model: resolve(folder, model!), text: texts!.map(at), steps: [...steps].sort((a, b) => a - b), mainSteps: mainSteps! },
    ...{ windowLength, batchSize, learningRate },
  }
}

const mapped = <T, U>(all: Record<string, T>, change: (one: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(all).map(([name, one]) => [name, change(one, name)]))

const missing = (name: string) => new OptionError('OPTION_INVALID', `The plan has no '${name}'. 'softprompt study --help' shows a plan.`)
