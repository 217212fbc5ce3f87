import type { StudyInit } from '../cells.js'
import { promptCells } from '../grid.js'
import { above, averaged } from '../statistics.js'
import type { Finding } from './finding.js'
import { barOf, points, scoreText } from './words.js'

const NAMES: Record<StudyInit, string> = { uniform: 'random uniform', vocabulary: 'sampled vocabulary', labels: 'class labels' }

export const init: Finding = {
  title: 'Initialisation',
  paper:
    'Class labels are best, then sampled vocabulary, then random uniform; the gaps vanish as the model grows (section 3.2, figure 3b).',
  lacks: ({ inits }) => (inits.length < 2 ? 'two initialisations' : undefined),
  cells: (plan) => plan.ablations.flatMap((task) => plan.inits.flatMap((one) => promptCells(plan, plan.main, task, { init: one }))),
  section(plan, results) {
    const order = (Object.keys(NAMES) as StudyInit[]).filter((one) => plan.inits.includes(one))
    const scores = (task: string, one: StudyInit) => results.scores(promptCells(plan, plan.main, task, { init: one }))
    const average = (one: StudyInit) => averaged(plan.ablations.map((task) => scores(task, one)))
    const steps = order.slice(1).map((better, i) => above(average(better), average(order[i]!)))
    const whole = above(average(order.at(-1)!), average(order[0]!))
    const told = order.map((one) => `${scoreText(average(one))} with ${NAMES[one]}`).join(', ')
    return {
      ours: `${plan.main} reaches ${told}; ${whole === 0 ? 'the seeds do not tell the ends apart' : `from end to end that is ${points(whole)} points`}.`,
      agrees: whole > 0 && steps.every((step) => step >= 0),
      plots: [
        {
          ...{ kind: 'bars', title: `Test score of ${plan.main} by initialisation`, groups: plan.ablations },
          series: order.map((one) => ({ name: NAMES[one], bars: plan.ablations.map((task) => barOf(scores(task, one))) })),
        },
      ],
      tables: [
        {
          title: plan.main,
          head: ['task', ...order.map((one) => NAMES[one])],
          rows: plan.ablations.map((task) => [task, ...order.map((one) => scoreText(scores(task, one)))]),
        },
      ],
    }
  },
}
