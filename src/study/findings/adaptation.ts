import { count } from '../../format.js'
import { promptCells } from '../grid.js'
import { adaptedName, PRETRAINED } from '../models.js'
import type { Plan } from '../plan.js'
import { above, averaged, mean } from '../statistics.js'
import type { Finding } from './finding.js'
import { points, scoreText } from './words.js'

export const adaptation: Finding = {
  title: 'Steps of LM adaptation',
  paper: 'The longer the adaptation, up to 100,000 steps, the better for prompts (section 3.2, figure 3d).',
  lacks: ({ pretrained }) => (pretrained ? undefined : "'pretrained'"),
  cells: (plan) => plan.ablations.flatMap((task) => formsOf(plan).flatMap(({ model }) => promptCells(plan, model, task))),
  section(plan, results) {
    const forms = formsOf(plan)
    const scores = (task: string, model: string) => results.scores(promptCells(plan, model, task))
    const average = (model: string) => averaged(plan.ablations.map((task) => scores(task, model)))
    const [none, longest] = [forms[0]!, forms.at(-1)!]
    const whole = above(average(longest.model), average(none.model))
    const told = forms.map(({ model, steps }) => `${scoreText(average(model))} after ${count(steps)}`).join(', ')
    const verdict = whole === 0 ? 'the ends are not told apart' : `from none to the most ${points(whole)} points`
    return {
      ours: `${plan.main}, mean over the tasks: ${told} steps; ${verdict}.`,
      agrees: whole > 0,
      plots: [
        {
          ...{ kind: 'lines', title: `Test score of ${plan.main} by steps of adaptation`, unit: 'steps' },
          series: plan.ablations.map((name) => ({
            name,
            points: forms.map(({ model, steps }) => ({ x: steps, y: mean(scores(name, model)) })),
          })),
        },
      ],
      tables: [
        {
          title: plan.main,
          head: ['task', ...forms.map(({ steps }) => (steps === 0 ? 'none' : `${count(steps)} steps`))],
          rows: plan.ablations.map((task) => [task, ...forms.map(({ model }) => scoreText(scores(task, model)))]),
        },
      ],
    }
  },
}

/** The main model at each length of its adaptation. */
function formsOf({ pretrained, main }: Plan): { model: string; steps: number }[] {
  const { steps, mainSteps } = pretrained!
  return [
    { model: PRETRAINED, steps: 0 },
    ...steps.map((one) => ({ model: adaptedName(one), steps: one })),
    { model: main, steps: mainSteps },
  ]
}
