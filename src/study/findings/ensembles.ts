import { bytes, count } from '../../format.js'
import type { EnsembleCost } from '../cells.js'
import { ensembleCell, ensembleSeeds, promptCells } from '../grid.js'
import { mean } from '../statistics.js'
import type { Finding } from './finding.js'
import { barOf, listed, points, scoreText } from './words.js'

export const ensembles: Finding = {
  title: 'Ensembles of prompts',
  paper: 'Five prompts of one task, asked in one batch, vote better than their mean and than the best of them (section 6, table 3).',
  cells: (plan) =>
    plan.ablations.flatMap((task) => [
      ...promptCells(plan, plan.main, task, { seeds: ensembleSeeds(plan) }),
      ensembleCell(plan, plan.main, task),
    ]),
  section(plan, results) {
    const rows = plan.ablations.map((task) => {
      const each = results.scores(promptCells(plan, plan.main, task, { seeds: ensembleSeeds(plan) }))
      const together = results.get(ensembleCell(plan, plan.main, task))
      return { task, each, best: Math.max(...each), vote: together.scores.test as number, cost: together.cost as EnsembleCost }
    })
    const told = rows.map(({ task, each, best, vote }) => `${points(vote)} on ${task} (mean ${points(mean(each))}, best ${points(best)})`)
    const cheaper = mean(rows.map(({ cost }) => cost.apart / cost.together))
    return {
      ours: `The vote of ${plan.ensemble} comes to ${listed(told)}; one batch for all of them takes 1 / ${cheaper.toFixed(2)} of the time of one prompt after the other.`,
      agrees: rows.every(({ each, vote }) => vote > mean(each)),
      plots: [
        {
          ...{ kind: 'bars', title: `Test score of ${plan.ensemble} prompts for ${plan.main}`, groups: plan.ablations },
          series: [
            { name: 'mean', bars: rows.map(({ each }) => barOf(each)) },
            { name: 'best', bars: rows.map(({ best }) => barOf([best])) },
            { name: 'vote', bars: rows.map(({ vote }) => barOf([vote])) },
          ],
        },
      ],
      tables: [
        {
          title: 'score',
          head: ['task', 'mean', 'best', 'vote'],
          rows: rows.map(({ task, each, best, vote }) => [task, scoreText(each), points(best), points(vote)]),
        },
        {
          title: `cost of ${plan.ensemble} prompts against ${plan.ensemble} models`,
          head: ['task', 'rows', 'one batch', 'one after the other', 'prompts', 'models'],
          rows: rows.map(({ task, cost }) => [
            ...[task, count(cost.rows), `${cost.together.toFixed(2)} s`, `${cost.apart.toFixed(2)} s`],
            ...[bytes(cost.promptBytes), bytes(cost.modelBytes)],
          ]),
        },
      ],
    }
  },
}
