import { count, percent } from '../../format.js'
import { modelCells, modelNames, promptCells, taskNames } from '../grid.js'
import { parameterTable } from '../parameters.js'
import type { Finding } from './finding.js'

/** Of section 3's table, in percent: small to XXL. */
const PAPER_SHARES = [0.0665, 0.031, 0.0131, 0.0072, 0.0037]
const FEWER = 20_000

export const parameters: Finding = {
  title: 'Parameters',
  paper:
    'A prompt of 100 rows is 0.0665 % of small’s parameters and 0.0037 % of XXL’s: over 20,000 times fewer (section 2, figure 4 and table 4).',
  cells: (plan) =>
    modelNames(plan).flatMap((model) => [
      ...promptCells(plan, model, taskNames(plan)[0]!),
      ...modelCells(plan, model, taskNames(plan)[0]!),
    ]),
  section(plan, results) {
    const five = parameterTable(100)
    const own = modelNames(plan).map((name) => {
      const { learned, parameters: all } = results.get(promptCells(plan, name, taskNames(plan)[0]!)[0]!)
      return { name, prompt: learned, all: all + learned, share: learned / (all + learned) }
    })
    const largest = five.at(-1)!
    const row = ({ name, prompt, all, share }: (typeof five)[number]) => [name, count(prompt), count(all), percent(share, 4)]
    const ours = own.map(({ name, share }) => `${percent(share, 2)} of ${name}`).join(', ')
    return {
      ours: `Computed from their configs, the paper's five sizes give the paper's shares, ${count(Math.round(1 / largest.share))} times fewer at XXL; prompts of ${plan.length} rows are ${ours}.`,
      agrees: five.every(({ share }, i) => Math.abs(100 * share - PAPER_SHARES[i]!) <= 0.00005) && 1 / largest.share > FEWER,
      plots: [
        {
          ...{ kind: 'bars', title: 'Share of all parameters that a task learns', groups: own.map(({ name }) => name) },
          series: [{ name: `a prompt of ${plan.length} rows`, bars: own.map(({ share }) => ({ mean: share, spread: 0 })) }],
        },
      ],
      tables: [
        { title: 'T5 v1.1 with a prompt of 100 rows', head: ['size', 'prompt', 'all', 'share'], rows: five.map(row) },
        { title: `the models here, ${plan.length} rows`, head: ['size', 'prompt', 'all', 'share'], rows: own.map(row) },
      ],
    }
  },
}
