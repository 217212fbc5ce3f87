import { expect, test } from 'vitest'
import type { EvaluationEvent, MetricRow } from '../../src/index.js'
import { collect, failure, load, TINY, TINY_EXAMPLES, TINY_RUN, wavyPrompt } from './helpers.js'

const t5 = await load(TINY)

test('a metric of your own sees the rows with all their fields, in evaluate', async () => {
  const seen: MetricRow[] = []
  const weight = {
    name: 'weight',
    compute: (_predictions: readonly string[], _targets: readonly string[], rows: readonly MetricRow[]) => {
      seen.push(...rows)
      return rows.reduce((sum, row) => sum + (row.weight as number), 0)
    },
  }
  const data = TINY_EXAMPLES.map((example, weight) => ({ ...example, weight }))
  const { metrics } = await t5.evaluate({ data, prompt: wavyPrompt(2, 48), metrics: ['accuracy', weight] })
  expect(metrics.weight).toBe(15)
  expect(seen[1]).toMatchObject({ weight: 1, target: '61' })
})

test('a metric of which less is better picks the result of a run, and stops it by patience', async () => {
  const values = [5, 3, 4, 4, 4, 4]
  const given = [...values]
  const error = { name: 'error', compute: () => given.shift() as number, higherIsBetter: false }
  const run = t5.tune({ ...TINY_RUN, validation: TINY_EXAMPLES, evaluateEvery: 1, metrics: [error], patience: 2 })
  const events = await collect(run)
  const best = events.filter((event): event is EvaluationEvent => event.type === 'evaluation').map((event) => event.best)
  expect(best).toEqual([true, true, false, false])
  const { report } = await run.result
  expect([report.bestStep, report.metrics.error]).toEqual([2, 3])

  given.splice(0, given.length, ...values)
  const turned = t5.tune({ ...TINY_RUN, validation: TINY_EXAMPLES, evaluateEvery: 1, metrics: [error], higherIsBetter: true })
  expect((await turned.result).report.bestStep).toBe(1)
})

test('a metric that does not fit the data ends the run before its first step, and names itself and the row', async () => {
  const validation = TINY_EXAMPLES.map(({ input, target }, i) => ({ input, target: i === 2 ? [70, 71, 1] : target }))
  const run = t5.tune({ ...TINY_RUN, validation, metrics: ['pearson'] })
  const events = await collect(run)
  const error = await failure(run.result)
  expect(events).toEqual([])
  expect(error.code).toBe('DATA_METRIC_UNFIT')
  expect(error.message).toMatch(/'pearson'.*Row 2 is "70 71"/)
})

test('evaluate says what was cut, and tune what that means for either set', async () => {
  const long = { input: [10, 30, 50, 1], target: [60, 61, 62, 1] }
  const data = [...TINY_EXAMPLES, long]
  const { warnings } = await t5.evaluate({ data, maxTargetLength: 2, maxInputLength: 3 })
  expect(warnings!.map(({ code, count }) => [code, count])).toEqual([
    ['cutTargets', 1],
    ['cutInputs', 7],
  ])
  expect(warnings![0]!.message).toBe(
    '1 of 7 evaluated targets are longer than maxTargetLength (2) and were cut, the first in Row 6: outputs are compared with what is left.',
  )
  expect(await t5.evaluate({ data })).not.toHaveProperty('warnings')
  const { report } = await t5.tune({ ...TINY_RUN, train: data, validation: data, steps: 1, maxTargetLength: 2 }).result
  const cut = report.data.warnings.filter(({ code }) => code === 'cutTargets').map(({ message }) => message)
  expect(cut).toEqual([
    '1 of 7 training targets are longer than maxTargetLength (2) and were cut, the first in Row 6: the prompt learns to stop there.',
    '1 of 7 validation targets are longer than maxTargetLength (2) and were cut, the first in Row 6: outputs are compared with what is left.',
  ])
})
