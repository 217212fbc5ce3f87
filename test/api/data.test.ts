import { expect, test } from 'vitest'
import type { StartEvent } from '../../src/index.js'
import { collect, failure, load, TINY, TINY_EXAMPLES, TINY_RUN } from './helpers.js'

const t5 = await load(TINY)

test('a validation set is drawn by the seed, and the data is told of', async () => {
  const run = () => t5.tune({ ...TINY_RUN, validationSplit: 0.34, patience: 5 })
  const first = run()
  const [start] = (await collect(first)) as [StartEvent]
  const { report } = await first.result
  expect([start.examples, start.validation]).toEqual([4, 2])
  expect(start.data.train).toMatchObject({ examples: 4, inputTokens: { min: 4, mean: 4, p95: 4, max: 4 }, cutInputs: 0 })
  expect(report.data).toEqual(start.data)
  expect(report.bestMetric).toBe('accuracy')
  expect(report.options.validationSplit).toBe(0.34)
  const second = await run().result
  expect(second.report.history).toEqual(report.history)
})

test('rows of other fields, by columns', async () => {
  const rows = TINY_EXAMPLES.map(({ input, target }) => ({ from: input, to: target }))
  const { metrics, count } = await t5.evaluate({ data: { rows, columns: { input: 'from', target: 'to' } } })
  expect([count, Object.keys(metrics)]).toEqual([6, ['accuracy']])
})

test('what the data warns of', async () => {
  const run = t5.tune({ ...TINY_RUN, train: TINY_EXAMPLES.slice(0, 1), validation: TINY_EXAMPLES, steps: 1, maxInputLength: 3 })
  const [start] = (await collect(run)) as [StartEvent]
  expect(start.data.warnings.map(({ code }) => code)).toEqual(['oneRow', 'cutInputs', 'cutInputs', 'duplicates', 'labelNotTrained'])
  await run.result
})

test.each([
  [{ validationSplit: 1 }, 'below 1'],
  [{ validationSplit: Number.NaN }, 'NaN'],
  [{ validationSplit: 0.5, validation: TINY_EXAMPLES }, 'both given'],
  [{ validationSplit: 0.9, train: TINY_EXAMPLES.slice(0, 2) }, 'leaves nothing'],
])('%j is refused', async (options, message) => {
  const error = await failure(t5.tune({ ...TINY_RUN, ...options }).result)
  expect([error.code, error.message]).toEqual(['OPTION_INVALID', expect.stringContaining(message)])
})
