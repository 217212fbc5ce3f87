import { modelCells, promptCells } from '../grid.js'
import type { Plan } from '../plan.js'
import { above, averaged } from '../statistics.js'
import type { Finding, Results } from './finding.js'
import { barOf, points, scoreText } from './words.js'

export const shift: Finding = {
  title: 'Domain shift',
  paper: 'Trained on one domain and asked in another, a prompt for the frozen model does better than a tuned model (section 5, table 1).',
  lacks: (plan) => (pairsOf(plan).length > 0 ? undefined : "'shifts' that have 'elsewhere'"),
  cells: (plan) =>
    Object.keys(plan.shifts).flatMap((task) => [...promptCells(plan, plan.main, task), ...modelCells(plan, plan.main, task)]),
  section(plan, results) {
    const pairs = pairsOf(plan)
    const scores = (form: 'prompt' | 'model', set: 'there' | 'here') =>
      pairs.map(({ task, elsewhere }) => scoresOf(plan, results, form, task, set === 'here' ? 'test' : elsewhere))
    const there = above(averaged(scores('prompt', 'there')), averaged(scores('model', 'there')))
    const here = above(averaged(scores('prompt', 'here')), averaged(scores('model', 'here')))
    return {
      ours: `Where it was trained prompt tuning is ${against(here)} model tuning, in the other domain ${against(there)} it (mean over the pairs).`,
      agrees: there > 0,
      plots: [
        {
          ...{ kind: 'bars', title: `Score of ${plan.main} in the other domain`, groups: pairs.map(({ name }) => name) },
          series: [
            { name: 'prompt tuning', bars: scores('prompt', 'there').map(barOf) },
            { name: 'model tuning', bars: scores('model', 'there').map(barOf) },
          ],
        },
      ],
      tables: [
        {
          title: plan.main,
          head: ['trained → asked', 'prompt, same domain', 'model, same domain', 'prompt, other domain', 'model, other domain'],
          rows: pairs.map(({ name }, i) => [
            name,
            ...(['here', 'there'] as const).flatMap((set) =>
              (['prompt', 'model'] as const).map((form) => scoreText(scores(form, set)[i]!)),
            ),
          ]),
        },
      ],
    }
  },
}

interface Pair {
  name: string
  task: string
  elsewhere: string
}

function pairsOf({ shifts }: Plan): Pair[] {
  return Object.entries(shifts).flatMap(([task, { elsewhere }]) =>
    Object.keys(elsewhere).map((other) => ({ name: `${task} → ${other}`, task, elsewhere: other })),
  )
}

function scoresOf(plan: Plan, results: Results, form: 'prompt' | 'model', task: string, set: string): number[] {
  return results.scores(form === 'prompt' ? promptCells(plan, plan.main, task) : modelCells(plan, plan.main, task), set)
}

const against = (difference: number) =>
  difference === 0 ? 'as good as' : `${points(Math.abs(difference))} points ${difference > 0 ? 'above' : 'below'}`
