import { promptList, SoftPrompt } from '../prompt.js'
import { checkOptions, integer, invalidOption, isObject, number, seed, strings, text } from './check.js'

/**
 * Where a prompt starts (Lester et al. 2021, section 3.2): rows sampled from the first 5,000 of the vocabulary's embeddings; uniform in [-0.5, 0.5), as the paper
 * says, or between two numbers ([0, 0.5] is what its code draws from); the mean embedding of each label's pieces, filled up from the vocabulary; a text's
 * embeddings, filled up likewise; another prompt, cut or filled up; the mean of several prompts of one length, cut or filled up.
 */
export type Init =
  | 'vocabulary'
  | 'uniform'
  | {
      /** Drawn from [low, high). */
      uniform: readonly [low: number, high: number]
    }
  | {
      /** One row a label, the mean of its pieces; the rest from the vocabulary. */
      labels: string[]
    }
  | {
      /** One row a token of it; the rest from the vocabulary. */
      text: string
    }
  | {
      /** Its rows. */
      prompt: SoftPrompt
    }
  | {
      /** Their mean, row by row. */
      mean: readonly SoftPrompt[]
    }

/** How a new prompt begins. */
export interface NewPrompt {
  /** Rows of the prompt. @defaultValue 100 (with `init: { prompt }` or `{ mean }`: as many as they have) */
  length?: number
  /** Where its numbers start. @defaultValue 'vocabulary' */
  init?: Init
}

/** One of several runs of a call of `tune`; what it leaves out is the call's. */
export interface RunOptions extends NewPrompt {
  /** Of its first prompt and its dropout; the batches are drawn by the call's own seed. */
  seed?: number
  /** The update rule's rate for this run. */
  learningRate?: number
}

/** Tasks that learn in mixed batches, each a prompt of its own from the rows that name it as their `task`. */
export interface TaskPrompts {
  /** By the task's name. */
  tasks: Record<string, RunOptions>
  /** Rows in front of each task's own, which learn from all tasks: how many, or more about them. @defaultValue none */
  shared?: number | RunOptions
}

export interface ResolvedPrompt {
  /** The prompt to start from; undefined for a new one. */
  prompt: SoftPrompt | undefined
  /** Rows of the prompt. */
  length: number
  init: Init
}

export interface ResolvedRun extends ResolvedPrompt {
  seed: number
  learningRate: number
  /** Where the runs are tasks. */
  task?: string
}

const DEFAULT_LENGTH = 100

export function resolvePrompt(choice: PromptChoice | undefined): ResolvedPrompt {
  if (choice instanceof SoftPrompt) return { prompt: choice, length: choice.rows, init: { prompt: choice } }
  if (choice && 'tasks' in choice) return resolvePrompt(undefined)
  const init = choice?.init ?? 'vocabulary'
  const prompt = promptOfInit(init)
  return { prompt, length: choice?.length ?? prompt?.rows ?? DEFAULT_LENGTH, init }
}

/** What a run is told to do, where `base` is what the call says. */
export function resolveRun({ length, init, ...own }: RunOptions, base: ResolvedRun): ResolvedRun {
  const prompt = init === undefined ? base.prompt : promptOfInit(init)
  const rows = length ?? (init === undefined ? base.length : (prompt?.rows ?? base.length))
  return { seed: base.seed, learningRate: base.learningRate, ...own, prompt, length: rows, init: init ?? base.init }
}

/** A run a task, and the part that they share. */
export function resolveTasks(
  choice: PromptChoice | undefined,
  base: ResolvedRun,
): { runs: ResolvedRun[]; shared?: ResolvedRun } | undefined {
  if (!choice || choice instanceof SoftPrompt || !('tasks' in choice)) return undefined
  const runs = Object.entries(choice.tasks).map(([task, own]) => ({ ...resolveRun(own, base), task }))
  const { shared } = choice
  if (shared === undefined) return { runs }
  return { runs, shared: resolveRun(typeof shared === 'number' ? { length: shared } : shared, base) }
}

function promptOfInit(init: Init): SoftPrompt | undefined {
  if (typeof init !== 'object') return undefined
  if ('mean' in init) return SoftPrompt.mean(init.mean)
  return 'prompt' in init ? init.prompt : undefined
}

export type PromptChoice = SoftPrompt | NewPrompt | TaskPrompts

export function promptChoice(value: unknown, name: string): PromptChoice {
  if (value instanceof SoftPrompt) return value
  if (!isObject(value)) throw invalidOption(name, value, 'a SoftPrompt, { length, init } or { tasks, shared }')
  if ('tasks' in value) {
    const { tasks, shared } = checkOptions('tune', value, { tasks: taskChoices, shared: sharedChoice }, `${name}.`)
    return { tasks: tasks as Record<string, RunOptions>, ...(shared !== undefined && { shared }) }
  }
  return checkOptions('tune', value, NEW_PROMPT, `${name}.`)
}

export function runChoices(value: unknown, name: string): RunOptions[] {
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, value, 'an array with an entry a run, such as { seed: 1 }')
  return value.map((run, i) => checkOptions('tune', run ?? {}, RUN, `${name}[${i}].`))
}

const INIT_ALLOWED =
  "'vocabulary', 'uniform', { uniform: [low, high] }, { labels: [...] }, { text: '...' }, { prompt: SoftPrompt } or { mean: [SoftPrompt, ...] }"

function initChoice(value: unknown, name: string): Init {
  if (value === 'vocabulary' || value === 'uniform') return value
  if (!isObject(value) || Object.keys(value).length !== 1) throw invalidOption(name, value, INIT_ALLOWED)
  if ('labels' in value) return { labels: strings(value.labels, `${name}.labels`) }
  if ('text' in value) return { text: text(value.text, `${name}.text`) }
  if ('uniform' in value) return { uniform: range(value.uniform, `${name}.uniform`) }
  if ('mean' in value) return { mean: promptList(value.mean, `${name}.mean`) }
  if (value.prompt instanceof SoftPrompt) return { prompt: value.prompt }
  throw invalidOption(name, value, INIT_ALLOWED)
}

function range(value: unknown, name: string): [number, number] {
  const isRange = Array.isArray(value) && value.length === 2
  const [low, high] = isRange ? value.map((bound, i) => number()(bound, `${name}[${i}]`)) : []
  if (low === undefined || high === undefined || low >= high)
    throw invalidOption(name, value, 'two numbers, the smaller first, such as [0, 0.5]')
  return [low, high]
}

function taskChoices(value: unknown, name: string): Record<string, RunOptions> {
  if (!isObject(value) || Object.keys(value).length === 0)
    throw invalidOption(name, value, 'an object with an entry a task, such as { reviews: {}, intents: { length: 20 } }')
  return Object.fromEntries(Object.entries(value).map(([task, run]) => [task, checkOptions('tune', run ?? {}, RUN, `${name}.${task}.`)]))
}

function sharedChoice(value: unknown, name: string): number | RunOptions {
  if (typeof value === 'number') return integer(1)(value, name)
  if (!isObject(value)) throw invalidOption(name, value, 'a number of rows, or { length, init, seed, learningRate }')
  return checkOptions('tune', value, RUN, `${name}.`)
}

const NEW_PROMPT = { length: integer(1), init: initChoice }
const RUN = { ...NEW_PROMPT, seed, learningRate: number({ above: 0 }) }
