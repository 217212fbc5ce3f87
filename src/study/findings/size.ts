import { designCell, modelCells, modelNames, multitaskCells, promptCells, taskNames } from '../grid.js'
import type { Plan } from '../plan.js'
import { above, averaged, mean } from '../statistics.js'
import type { Finding, Results } from './finding.js'
import { barOf, points, scoreText } from './words.js'

const METHODS = ['prompt design', 'prompt tuning', 'model tuning', 'multi-task model tuning'] as const
type Method = (typeof METHODS)[number]

export const size: Finding = {
  title: 'Model size',
  paper:
    'The larger the model, the closer prompt tuning comes to model tuning, which it equals at 11 billion parameters; prompt design stays far behind (section 3.1, figure 1).',
  cells: (plan) =>
    modelNames(plan).flatMap((model) => [
      ...taskNames(plan).flatMap((task) => [...promptCells(plan, model, task), designCell(model, task), ...modelCells(plan, model, task)]),
      ...multitaskCells(plan, model),
    ]),
  section(plan, results) {
    const models = modelNames(plan)
    const average = (method: Method, model: string) => averaged(taskNames(plan).map((task) => scoresOf(plan, results, method, model, task)))
    const gap = (model: string) => mean(average('model tuning', model)) - mean(average('prompt tuning', model))
    const [smallest, largest] = [models[0]!, models.at(-1)!]
    const overDesign = above(average('prompt tuning', largest), average('prompt design', largest))
    return {
      ours: oursText(models, gap, overDesign),
      agrees: models.length > 1 && gap(largest) < gap(smallest) && overDesign > 0,
      plots: [
        {
          ...{ kind: 'bars', title: 'Test score by size, mean over the tasks', groups: models },
          series: METHODS.map((name) => ({ name, bars: models.map((model) => barOf(average(name, model))) })),
        },
      ],
      tables: taskNames(plan).map((task) => ({
        title: task,
        head: ['model', ...METHODS],
        rows: models.map((model) => [model, ...METHODS.map((method) => scoreText(scoresOf(plan, results, method, model, task)))]),
      })),
      notes: designNotes(plan, results),
    }
  },
}

function scoresOf(plan: Plan, results: Results, method: Method, model: string, task: string): number[] {
  switch (method) {
    case 'prompt design':
      // No seed changes it: the same for all.
      return plan.seeds.map(() => results.get(designCell(model, task)).scores.test as number)
    case 'prompt tuning':
      return results.scores(promptCells(plan, model, task))
    case 'model tuning':
      return results.scores(modelCells(plan, model, task))
    case 'multi-task model tuning':
      return results.scores(multitaskCells(plan, model), task)
  }
}

function oursText(models: readonly string[], gap: (model: string) => number, overDesign: number): string {
  const gaps = models.map((model) => `${points(gap(model))} points at ${model}`).join(', ')
  const design =
    overDesign > 0 ? `${points(overDesign)} points above` : overDesign < 0 ? `${points(-overDesign)} points below` : 'as good as'
  return `Prompt tuning is behind model tuning by ${gaps} (mean over the tasks); with ${models.at(-1)} it is ${design} the best text as prompt.`
}

/** Which texts won. */
function designNotes(plan: Plan, results: Results): string[] {
  const best = taskNames(plan).map((task) => {
    const text = results.get(designCell(plan.main, task)).text
    return `${task}: ${text ? `“${text}”` : 'none in front'}`
  })
  return [
    `Prompt design takes the text that is best on the validation rows and chooses among the labels by their likelihood. With ${plan.main}: ${best.join('; ')}.`,
  ]
}
