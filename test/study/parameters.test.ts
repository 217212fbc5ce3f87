import { expect, test } from 'vitest'
import { parameterCount, parameterTable, type Sizes } from '../../src/study/parameters.js'
import { load, NANO, ROOT } from '../api/helpers.js'

test("the paper's five sizes, to the parameter", () => {
  expect(parameterTable(100).map(({ name, prompt, all, share }) => [name, prompt, all, (100 * share).toFixed(4)])).toEqual([
    ['small', 51_200, 77_012_352, '0.0665'],
    ['base', 76_800, 247_654_656, '0.0310'],
    ['large', 102_400, 783_252_480, '0.0131'],
    ['xl', 204_800, 2_849_961_984, '0.0072'],
    ['xxl', 409_600, 11_135_741_952, '0.0037'],
  ])
})

test.each([NANO, `${ROOT}/test/fixtures/t5-v1.0`, `${ROOT}/test/fixtures/flan-t5`])(
  'what a model has is counted right: %s',
  async (path) => {
    const t5 = await load(path)
    const tied = t5.config.raw.tie_word_embeddings !== false
    expect(parameterCount({ ...(t5.config as unknown as Sizes), tied })).toBe(t5.info.parameterCount)
  },
)
