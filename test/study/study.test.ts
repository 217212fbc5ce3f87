import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Cell, cellKey, type PromptCell } from '../../src/study/cells.js'
import { FINDING_NAMES, FINDINGS } from '../../src/study/findings/index.js'
import { markdown } from '../../src/study/markdown.js'
import { shareAlike } from '../../src/study/nearest.js'
import { readPlan, resolvePlan } from '../../src/study/plan.js'
import { piecesOf } from '../../src/study/run.js'
import { atScale } from '../../src/study/scale.js'
import { measurable, tell } from '../../src/study/sections.js'
import { above, averaged, spread } from '../../src/study/statistics.js'
import { ResultStore } from '../../src/study/store.js'
import { failure, NANO, ROOT, temporaryFolder } from '../api/helpers.js'
import { cli } from '../cli/helpers.js'

const folder = temporaryFolder()
const write = (name: string, content: string) => {
  writeFileSync(join(folder, name), content)
  return name
}
const lines = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).join('\n')
const ROWS = readFileSync(join(ROOT, 'examples', 'snips', 'test.jsonl'), 'utf8')
  .split('\n')
  .slice(0, 24)
  .map((line) => JSON.parse(line))
const data = write('data.jsonl', lines(ROWS))
const text = write('text.txt', 'It was a dark and stormy night; the rain fell in torrents upon the roofs of London town.\n'.repeat(20))
const files = { train: data, validation: data, test: data }
const PLAN = {
  title: 'A test',
  ...{ models: { small: NANO, large: NANO }, main: 'small' },
  tasks: { intents: { ...files, texts: ['What is asked for?'] }, again: files },
  ablations: ['intents'],
  shifts: { here: { ...files, elsewhere: { there: data } } },
  pretrained: { model: NANO, text: [text], steps: [1], mainSteps: 2, windowLength: 16, batchSize: 2 },
  ...{ lengths: [1, 2, 20], length: 20, seeds: [0, 1], ensemble: 2, steps: 2, batchSize: 4, validationRows: 8, testRows: 12 },
}

describe('a plan', () => {
  test('has defaults, and paths from its folder or that of the data', () => {
    const plan = resolvePlan({ models: { a: 'm' }, tasks: { t: files } }, '/plans', '/data')
    expect(plan).toMatchObject({
      ...{ main: 'a', models: { a: '/plans/m' }, ablations: ['t'], steps: 400, modelSteps: 400, seeds: [0, 1, 2], ensemble: 5 },
      tasks: { t: { train: '/data/data.jsonl', texts: [], elsewhere: {} } },
    })
  })

  test.each([
    [{ ...PLAN, models: undefined }, /no 'models'/],
    [{ ...PLAN, tasks: { intents: { train: 'x' } } }, /no 'tasks.intents.validation'/],
    [{ ...PLAN, lenghts: [1] }, /Did you mean 'lengths'/],
    [{ ...PLAN, inits: ['zeros'] }, /'inits\[0\]' is "zeros"/],
    [{ ...PLAN, pretrained: { model: NANO } }, /no 'pretrained.text'/],
    [{ ...PLAN, models: {} }, /'models'/],
    [{ ...PLAN, main: 'other' }, /'main' is "other", but must be one of the models small, large/],
    [{ ...PLAN, ablations: ['other'] }, /'ablations' is "other"/],
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

  test('without what a finding needs, that finding is left out', () => {
    const { pretrained: _, shifts: __, ...rest } = PLAN
    expect(measurable(resolvePlan(rest, folder))).toEqual(['size', 'length', 'init', 'parameters', 'ensembles', 'interpretability'])
    expect(measurable(resolvePlan(PLAN, folder))).toEqual(FINDING_NAMES)
    expect(measurable(resolvePlan(PLAN, folder), ['shift'])).toEqual(['shift'])
  })
})

const CELL: PromptCell = { kind: 'prompt', model: 'm', task: 't', length: 5, init: 'vocabulary', sentinel: false, seed: 0 }

test('a key is of the cell and of the settings, whatever the order of their fields', () => {
  const { kind, model, ...rest } = CELL
  expect(cellKey({ ...rest, model, kind } as Cell, { b: 1, a: 2 })).toBe(cellKey(CELL, { a: 2, b: 1 }))
  const others = [cellKey({ ...CELL, seed: 1 }, {}), cellKey(CELL, { steps: 1 }), cellKey(CELL, {})]
  expect(new Set(others).size).toBe(3)
})

test('prompts of one model and task are tuned in passes of six, what is made of them comes after', () => {
  const prompts = Array.from({ length: 8 }, (_, seed): PromptCell => ({ ...CELL, seed }))
  const ensemble: Cell = { kind: 'ensemble', model: 'm', task: 't', length: 5, init: 'vocabulary', seeds: [0, 1] }
  const led: PromptCell = { ...CELL, sentinel: true }
  const other: PromptCell = { ...CELL, model: 'n' }
  const pieces = piecesOf([ensemble, other, ...prompts, led])
  expect(pieces).toEqual([prompts.slice(0, 6), prompts.slice(6), [led], [ensemble], [other]])
})

test('differences within the noise are none', () => {
  expect(spread([1])).toBe(0)
  expect(spread([1, 3])).toBeCloseTo(Math.SQRT2)
  expect(above([0.5, 0.6, 0.7], [0.45, 0.55, 0.66])).toBe(0)
  expect(above([0.8, 0.81, 0.82], [0.5, 0.51, 0.52])).toBeCloseTo(0.3)
  expect(above([0.5], [0.503])).toBe(0)
  const means = averaged([
    [0, 1],
    [1, 2],
  ])
  expect(means).toEqual([0.5, 1.5])
})

test('tokens are alike that begin alike', () => {
  expect(shareAlike(['▁technology', 'Tech', '▁technologies', '▁', '</s>'])).toBeCloseTo(0.3)
  expect(shareAlike(['▁a', 'a', '12'])).toBe(0)
})

describe('kept results', () => {
  const result = { scores: { test: 0.5 }, learned: 1, parameters: 2, seconds: 3 }
  test('are found again, and a line that was cut off is taken away', async () => {
    const path = join(folder, 'kept.jsonl')
    const store = await ResultStore.open(path, { a: 1 })
    await store.add(CELL, result)
    appendFileSync(path, '{"key":"x","cell":')
    const again = await ResultStore.open(path, { a: 1 })
    expect(again.get(CELL)).toEqual(result)
    await again.add({ ...CELL, seed: 1 }, result)
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2)
    expect((await ResultStore.open(path, { a: 2 })).get(CELL)).toBeUndefined()
  })

  test('that are none are told by their line', async () => {
    const path = join(folder, write('broken.jsonl', '{"key":"a","result":{}}\n{"x":1}\n'))
    expect(await failure(ResultStore.open(path, {}))).toMatchObject({ code: 'FILE_READ', message: expect.stringContaining('line 2') })
  })
})

test('a study runs, is kept, goes on where it stopped, and is told as Markdown and as a page', { timeout: 300_000 }, async () => {
  const plan = join(folder, write('plan.json', JSON.stringify(PLAN)))
  const out = join(folder, 'out')
  const args = ['study', plan, '--out', out, '--device', 'cpu', '--dtype', 'float32']
  const part = await cli([...args, '--only', 'init', '--json'])
  expect(part.code).toBe(0)
  expect(
    JSON.parse(part.stdout)
      .sections.map(({ name }: { name: string }) => name)
      .sort(),
  ).toEqual(['init', 'interpretability'])

  const whole = await cli(args)
  expect(whole.code).toBe(0)
  expect(whole.stderr).toMatch(/6 of them there/)
  for (const name of FINDING_NAMES) expect(whole.stdout).toContain(`## ${FINDINGS[name].title}`)
  const page = readFileSync(join(out, 'study.html'), 'utf8')
  expect(page.match(/<svg/g)).toHaveLength(9)
  for (const told of [page, whole.stdout]) expect(told).not.toMatch(/NaN|undefined|\[object/)
  for (const [, file] of readFileSync(join(out, 'study.md'), 'utf8').matchAll(/\]\((plots\/[^)]+)\)/g))
    expect(readFileSync(join(out, file as string), 'utf8')).toMatch(/^<svg xmlns[\s\S]*<\/svg>\s*$/)

  // Every finding's results are there, and of the kind that it is told by.
  const resolved = await readPlan(plan)
  const results = readFileSync(join(out, 'results.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  for (const { cell, result } of results) {
    expect(Object.values(result.scores).every((score) => (score as number) >= 0 && (score as number) <= 1)).toBe(true)
    if (cell.kind === 'prompt') expect(result.learned).toBe(192 * cell.length)
    if (cell.kind === 'multitask') expect(Object.keys(result.scores)).toEqual(['intents', 'again'])
    if (cell.task === 'here') expect(result.scores.there).toBe(result.scores.test)
  }
  // An ensemble is made of the prompts that are there.
  expect(readdirSync(join(out, 'prompts'))).toHaveLength(results.filter(({ cell }) => cell.kind === 'prompt').length)
  const again = await cli(args)
  expect([again.code, again.stdout]).toEqual([0, whole.stdout])
  expect(again.stderr).toMatch(new RegExp(`${results.length} results, ${results.length} of them there`))
  expect(FINDINGS.size.cells(resolved)).toHaveLength(2 * (2 * (2 + 1 + 2) + 2))
})

test('what disagrees is told first; what is not measured is named', async () => {
  const plan = atScale(resolvePlan(PLAN, folder), 'smoke')
  const store = await ResultStore.open(join(folder, 'told.jsonl'), {})
  const nearest = { rows: [['a']], alike: 0.5, alikeByChance: 0.01, labels: 7, labelsFound: 7 }
  const scored = (scores: Record<string, number>) => ({ scores, learned: 1, parameters: 99, seconds: 1, nearest })
  const ofShift = (cell: Cell) => (cell.kind === 'model' ? { test: 0.9, there: 0.4 } : { test: 0.8, there: 0.7 })
  const ofInit = (cell: Cell) => ({ test: (cell as PromptCell).init === 'uniform' ? 0.9 : 0.3 })
  for (const cell of FINDINGS.shift.cells(plan)) await store.add(cell, scored(ofShift(cell)))
  for (const cell of FINDINGS.init.cells(plan)) await store.add(cell, scored(ofInit(cell)))
  const told = tell(plan, store)
  expect(told.sections.map(({ name, agrees }) => [name, agrees])).toEqual([
    ['init', false],
    ['shift', true],
    ['interpretability', true],
  ])
  expect(told.left).toContainEqual({ title: 'Prompt length', why: expect.stringMatching(/^\d+ results are still to be measured$/) })
  const page = markdown(plan, told, 'plots')
  expect(page).toContain('**Ours does not show this: small reaches 90.0 with random uniform')
  expect(page).toContain('in the other domain 30.0 points above it')
})

test('a folder that cannot be made and a finding that is none are told before anything is trained', async () => {
  mkdirSync(join(folder, 'x'), { recursive: true })
  const plan = join(folder, write('plan2.json', JSON.stringify(PLAN)))
  const file = await cli(['study', plan, '--out', join(folder, 'data.jsonl')])
  expect([file.code, file.stderr]).toEqual([1, expect.stringContaining('FILE_NOT_WRITABLE')])
  const name = await cli(['study', plan, '--out', join(folder, 'y'), '--only', 'lenght'])
  expect([name.code, name.stderr]).toEqual([2, expect.stringContaining("no finding 'lenght'")])
  const { shifts: _, ...rest } = PLAN
  const bare = await cli(['study', join(folder, write('bare.json', JSON.stringify(rest))), '--out', join(folder, 'y'), '--only', 'shift'])
  expect([bare.code, bare.stderr]).toEqual([2, expect.stringContaining("shift needs 'shifts' that have 'elsewhere'")])
})
