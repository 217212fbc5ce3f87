import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cellName, cellsOf, readPlan, resolvePlan } from '../../src/study/plan.js'
import type { CellResult } from '../../src/study/run.js'
import { markdown, scoreText, tablesOf } from '../../src/study/tables.js'
import { failure, TINY, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { cli } from '../cli/helpers.js'
import { TINY_TEXT } from '../train/helpers.js'

const folder = temporaryFolder()
const write = (name: string, content: string) => {
  writeFileSync(join(folder, name), content)
  return name
}
const lines = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).join('\n')
const data = write('data.jsonl', lines(TINY_EXAMPLES))
const text = write('text.jsonl', lines(TINY_TEXT.map((ids) => ({ text: ids }))))
const PLAN = {
  ...{ models: { tiny: TINY }, train: data, validation: data, test: data, shifted: { elsewhere: data } },
  ...{ lengths: [4, 2], inits: ['vocabulary', 'uniform'], seeds: [0, 1], steps: 4, batchSize: 3, finetune: true },
  adapt: { text, steps: [0, 2], windowLength: 12, batchSize: 2 },
}

describe('a plan', () => {
  test('varies one thing at a time', () => {
    expect(cellsOf(resolvePlan(PLAN, folder)).map(cellName)).toEqual([
      ...['tiny, 4 rows, vocabulary', 'tiny, 2 rows, vocabulary', 'tiny, 4 rows, uniform', 'tiny, all parameters'],
      ...['tiny adapted 2 steps, 4 rows, vocabulary', 'tiny adapted 2 steps, 2 rows, vocabulary'],
      ...['tiny adapted 2 steps, 4 rows, uniform', 'tiny adapted 2 steps, all parameters'],
    ])
  })

  test.each([
    [{ ...PLAN, train: undefined }, /no 'train'/],
    [{ ...PLAN, lenghts: [1] }, /Did you mean 'lengths'/],
    [{ ...PLAN, inits: ['zeros'] }, /'inits\[0\]' is "zeros"/],
    [{ ...PLAN, adapt: { steps: [1] } }, /needs 'text'/],
    [{ ...PLAN, models: {} }, /'models'/],
    [{ ...PLAN, metric: 'acuracy' }, /acuracy/],
  ])('what is wrong is told: %#', (plan, message) => {
    expect(() => resolvePlan(plan, folder)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(message) }),
    )
  })

  test('that is not there, or no JSON, is told', async () => {
    expect(await failure(readPlan('no/such.json'))).toMatchObject({ code: 'FILE_NOT_FOUND' })
    expect(await failure(readPlan(join(folder, write('bad.json', '{'))))).toMatchObject({ code: 'OPTION_INVALID' })
  })
})

test('scores are told with their spread, and tables keep their form whatever is in them', () => {
  expect(scoreText([0.5])).toBe('50.0 %')
  expect(scoreText([0.5, 0.7])).toBe('60.0 % ± 14.1 %')
  expect(markdown('T', [{ title: 'A', about: 'B.', head: ['x'], rows: [['a|b\nc']] }])).toContain('| a\\|b c |')
})

test('a study runs, is kept, goes on where it stopped, and is told as Markdown and as a page', { timeout: 120_000 }, async () => {
  const plan = join(folder, write('plan.json', JSON.stringify(PLAN)))
  const out = join(folder, 'out')
  const args = ['study', plan, '--out', out, '--threads', '1', '--device', 'cpu', '--dtype', 'float32']
  const first = await cli(args)
  expect(first.code).toBe(0)
  expect(first.stdout).toMatch(
    /## Results[\s\S]*## Ensembles[\s\S]*## Domain shift[\s\S]*elsewhere[\s\S]*## Nearest tokens[\s\S]*11,135,741,952/,
  )
  const cells = readdirSync(join(out, 'cells'))
  expect(cells).toHaveLength(8)
  const results = cells.map((name) => JSON.parse(readFileSync(join(out, 'cells', name), 'utf8')) as CellResult)
  for (const { cell, scores, ensemble, learned, nearest } of results) {
    expect(Object.keys(scores)).toEqual(['test', 'elsewhere'])
    expect(scores.test).toHaveLength(2)
    expect(scores.elsewhere).toEqual(scores.test)
    if (cell.kind === 'prompt')
      expect([learned, nearest.length, Object.keys(ensemble)]).toEqual([48 * cell.length, cell.length, ['test', 'elsewhere']])
  }
  const page = readFileSync(join(out, 'study.html'), 'utf8')
  expect(page.match(/<svg/g)).toHaveLength(2)
  expect(page).not.toMatch(/NaN|undefined|\[object/)
  expect(tablesOf(results)).toHaveLength(5)

  // One is lost, and the plan has grown: these two are done, and nothing else.
  rmSync(join(out, 'cells', cells[0] as string))
  writeFileSync(plan, JSON.stringify({ ...PLAN, lengths: [4, 2, 1], adapt: undefined }))
  const again = await cli(args)
  expect(again.code).toBe(0)
  expect(again.stderr.match(/done before/g)?.length).toBeGreaterThanOrEqual(3)
  expect(readdirSync(join(out, 'cells'))).toHaveLength(9)
})

test('a folder that cannot be made is told before anything is trained', async () => {
  mkdirSync(join(folder, 'x'), { recursive: true })
  const plan = join(folder, write('plan2.json', JSON.stringify(PLAN)))
  const { code, stderr } = await cli(['study', plan, '--out', join(folder, 'data.jsonl')])
  expect(code).toBe(1)
  expect(stderr).toContain('FILE_NOT_WRITABLE')
})
