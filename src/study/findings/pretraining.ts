import { percent } from '../../format.js'
import { promptCells } from '../grid.js'
import { PRETRAINED } from '../models.js'
import type { Plan } from '../plan.js'
import { above, averaged, mean } from '../statistics.js'
import type { Finding, Results } from './finding.js'
import { barOf, scoreText } from './words.js'

const FORMS = ['span corruption', 'span corruption + sentinel', 'LM adaptation'] as const
type Form = (typeof FORMS)[number]

export const pretraining: Finding = {
  title: 'Pre-training objective',
  paper:
    'A model that was adapted to language modelling is better to prompt than one of span corruption alone, whose mid-sized forms often never give a legal label, even where targets begin with a sentinel (section 3.2, figure 3c).',
  lacks: ({ pretrained }) => (pretrained ? undefined : "'pretrained'"),
  cells: (plan) => plan.ablations.flatMap((task) => FORMS.flatMap((form) => cellsOf(plan, form, task))),
  section(plan, results) {
    const scores = (task: string, form: Form) => results.scores(cellsOf(plan, form, task))
    const average = (form: Form) => averaged(plan.ablations.map((task) => scores(task, form)))
    const legal = (form: Form) => percent(mean(plan.ablations.map((task) => invalid(plan, results, form, task))))
    const told = FORMS.map((form) => `${form} ${scoreText(average(form))} (${legal(form)} of its outputs no label)`).join(', ')
    const [span, sentinel, adapted] = FORMS.map(average) as [number[], number[], number[]]
    return {
      ours: `${plan.main}, mean over the tasks: ${told}.`,
      agrees: above(adapted, span) > 0 && above(adapted, sentinel) > 0,
      plots: [
        {
          ...{ kind: 'bars', title: `Test score of ${plan.main} by its training`, groups: plan.ablations },
          series: FORMS.map((name) => ({ name, bars: plan.ablations.map((task) => barOf(scores(task, name))) })),
        },
      ],
      tables: [
        {
          title: 'score, and the share of outputs that are no label',
          head: ['task', ...FORMS.flatMap((form) => [form, 'no label'])],
          rows: plan.ablations.map((task) => [
            task,
            ...FORMS.flatMap((form) => [scoreText(scores(task, form)), percent(invalid(plan, results, form, task))]),
          ]),
        },
      ],
    }
  },
}

function cellsOf(plan: Plan, form: Form, task: string) {
  const model = form === 'LM adaptation' ? plan.main : PRETRAINED
  return promptCells(plan, model, task, { sentinel: form === 'span corruption + sentinel' })
}

function invalid(plan: Plan, results: Results, form: Form, task: string): number {
  return mean(cellsOf(plan, form, task).map((cell) => results.get(cell).invalid ?? 0))
}
