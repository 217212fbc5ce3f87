import { modelNames, promptCells } from '../grid.js'
import { above, averaged, mean } from '../statistics.js'
import type { Finding } from './finding.js'
import { listed, points, scoreText } from './words.js'

/** Beyond which the paper sees little gain. */
const ENOUGH = 20

export const length: Finding = {
  title: 'Prompt length',
  paper: 'More than one row is critical, but for the largest model; beyond 20 rows the gains are marginal (section 3.2, figure 3a).',
  lacks: ({ lengths }) => (lengths.length < 3 ? 'three lengths' : undefined),
  cells: (plan) =>
    modelNames(plan).flatMap((model) =>
      plan.ablations.flatMap((task) => plan.lengths.flatMap((rows) => promptCells(plan, model, task, { length: rows }))),
    ),
  section(plan, results) {
    const models = modelNames(plan)
    const lengths = [...plan.lengths].sort((a, b) => a - b)
    const scores = (model: string, rows: number) =>
      averaged(plan.ablations.map((task) => results.scores(promptCells(plan, model, task, { length: rows }))))
    const [shortest, longest] = [lengths[0]!, lengths.at(-1)!]
    const middle = lengths.slice(1, -1).findLast((rows) => rows <= ENOUGH) ?? lengths[1]!
    const gains = models.map((model) => ({
      model,
      early: above(scores(model, middle), scores(model, shortest)),
      late: above(scores(model, longest), scores(model, middle)),
    }))
    const told = gains.map(({ model, early, late }) => `${model} ${gain(early)} and then ${gain(late)}`)
    return {
      ours: `From ${shortest} to ${middle} rows, and from there to ${longest}, the models gain: ${listed(told)}.`,
      agrees: gains.every(({ early, late }) => early > 0 && late < early),
      plots: [
        {
          ...{ kind: 'lines', title: 'Test score by length, mean over the tasks', unit: 'rows' },
          series: models.map((name) => ({ name, points: lengths.map((x) => ({ x, y: mean(scores(name, x)) })) })),
        },
      ],
      tables: plan.ablations.map((task) => ({
        title: task,
        head: ['model', ...lengths.map((rows) => `${rows} row${rows === 1 ? '' : 's'}`)],
        rows: models.map((model) => [
          model,
          ...lengths.map((rows) => scoreText(results.scores(promptCells(plan, model, task, { length: rows })))),
        ]),
      })),
    }
  },
}

const gain = (value: number) => (value === 0 ? 'nothing that the seeds tell apart' : `${points(value)} points`)
