import { percent } from '../../format.js'
import type { Nearest, StudyInit } from '../cells.js'
import { promptCells } from '../grid.js'
import { mean } from '../statistics.js'
import type { Finding } from './finding.js'

/** So many times what chance gives is a cluster. */
const CLEARLY = 2

export const interpretability: Finding = {
  title: 'What prompts resemble',
  paper:
    'The nearest tokens of a row form tight lexical clusters, and labels that a prompt started from stay among its nearest tokens (section 7).',
  cells: (plan) => plan.ablations.flatMap((task) => promptCells(plan, plan.main, task, { init: initOf(plan.inits) })),
  section(plan, results) {
    const start = initOf(plan.inits)
    const rows = plan.ablations.map((task) => {
      const found = promptCells(plan, plan.main, task, { init: start }).map((cell) => results.get(cell).nearest as Nearest)
      const kept = start === 'labels' ? mean(found.map(({ labels, labelsFound }) => labelsFound / Math.max(1, labels))) : undefined
      return {
        task,
        found,
        kept,
        alike: mean(found.map(({ alike }) => alike)),
        chance: mean(found.map(({ alikeByChance }) => alikeByChance)),
      }
    })
    const told = rows.map(({ task, alike, chance, kept }) => {
      const labels = kept === undefined ? '' : `, and ${percent(kept)} of the labels are among the nearest tokens`
      return `on ${task} ${percent(alike)} of the pairs among a row's five nearest tokens begin alike (by chance ${percent(chance)})${labels}`
    })
    return {
      ours: `${told.join('; ')}.`.replace(/^o/, 'O'),
      agrees: rows.every(({ alike, chance, kept = 1 }) => alike > CLEARLY * chance && kept >= 0.5),
      plots: [
        {
          ...{ kind: 'bars', title: 'Pairs of near tokens that begin alike', groups: rows.map(({ task }) => task) },
          series: [
            { name: 'nearest tokens', bars: rows.map(({ alike }) => ({ mean: alike, spread: 0 })) },
            { name: 'by chance', bars: rows.map(({ chance }) => ({ mean: chance, spread: 0 })) },
          ],
        },
      ],
      tables: rows.map(({ task, found }) => ({
        title: `the five nearest tokens of the first rows: ${task}, seed ${plan.seeds[0]}`,
        head: ['row', 'tokens'],
        rows: found[0]!.rows.map((tokens, row) => [String(row + 1), tokens.join(' · ')]),
      })),
    }
  },
}

const initOf = (inits: readonly StudyInit[]): StudyInit => (inits.includes('labels') ? 'labels' : inits[0]!)
