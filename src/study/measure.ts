import type { Evaluation } from '../evaluate.js'
import type { T5 } from '../model.js'
import type { AnyPrompt } from '../prompt.js'
import type { CellResult } from './cells.js'
import type { Plan, Task } from './plan.js'

export interface Measuring {
  plan: Plan
  signal: AbortSignal
}

type Scores = Pick<CellResult, 'scores' | 'invalid'>

/** The plan's metric on a task's test rows, and on those from elsewhere. */
export async function measure(t5: T5, task: Task, prompt: AnyPrompt | null, { plan, signal }: Measuring): Promise<Scores> {
  const scores: Record<string, number> = {}
  let invalid: number | undefined
  for (const [name, path] of Object.entries({ test: task.test, ...task.elsewhere })) {
    const found = await t5.evaluate({ data: { path, sample: plan.testRows }, prompt, metrics: [plan.metric], signal })
    scores[name] = scoreOf(found, plan)
    if (name === 'test') invalid = found.invalid
  }
  return { scores, ...(invalid !== undefined && { invalid }) }
}

/** A metric may give several values (f1 of each label): the first. */
export function scoreOf({ metrics }: Pick<Evaluation, 'metrics'>, { metric }: Plan): number {
  return metrics[metric] ?? (Object.values(metrics)[0] as number)
}
