import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeReport } from '../../src/index.js'
import { html } from '../../src/report/markup.js'
import { Curve } from '../../src/tune/curve.js'
import { outcomeOf } from '../../src/tune/outcome.js'
import { failure, load, NANO, snips, temporaryFolder } from '../api/helpers.js'
import { chromium, visit } from './chromium.js'
import { explanationOf, HOSTILE, reportOf, resultOf, scored } from './contents.js'

const folder = temporaryFolder()
const letters = Array.from({ length: 30 }, (_, i) => `label ${i}`)

async function written(name: string, ...[report, explanation]: [ReturnType<typeof reportOf>, ReturnType<typeof explanationOf>?]) {
  const path = join(folder, name)
  await writeReport(path, resultOf(report), { explanation })
  return { path, text: readFileSync(path, 'utf8') }
}

const SECTIONS = ['summary', 'curves', 'outcome', 'data', 'prompt', 'settings']

test('the page needs nothing else, and texts in it stay texts', async () => {
  const { text } = await written('page.html', reportOf(300), explanationOf(30))
  for (const id of SECTIONS) expect(text).toContain(`id="${id}"`)
  expect(text).not.toMatch(/<script|<img|<link|<[^<>]* (src|href)=|https?:|url\(|NaN|undefined|Infinity/)
  expect(text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;')
})

test.each([
  ['one step, no validation', reportOf(1, { bestMetric: null, metrics: {}, history: [], outcome: null })],
  [
    'interrupted before its first step',
    reportOf(1, { steps: 0, losses: [], pace: [], bestMetric: null, metrics: {}, history: [], outcome: null, examplesPerSecond: 0 }),
  ],
  ['free text', reportOf(20, { outcome: outcomeOf(scored(undefined, ['a', 'b'], ['a', ''])) })],
  ['nothing wrong', reportOf(20, { outcome: outcomeOf(scored(['a'], ['a', 'a'], ['a', 'a'])) })],
  ['more labels than a matrix can show', reportOf(20, { outcome: outcomeOf(scored(letters, letters, [...letters].reverse())) })],
  ['losses and gradients of zero', reportOf(3, { losses: [1, 2, 3].map((step) => ({ step, loss: 0, learningRate: 0, gradientNorm: 0 })) })],
  [
    'divergences',
    reportOf(9, {
      stopped: 'diverged',
      divergences: [
        { step: 3, what: HOSTILE, rateFactor: 0.1 },
        { step: 9, what: 'x', rateFactor: null },
      ],
    }),
  ],
  ['a metric of its own, of any size', reportOf(9, { metrics: { tokens: 41.5 }, history: [{ step: 9, metrics: { tokens: 41.5 } }] })],
  [
    'metrics below zero and many of them',
    reportOf(9, { history: [{ step: 9, metrics: Object.fromEntries(letters.map((name, i) => [name, i / 20 - 1])) }] }),
  ],
])('a run with %s has a page too', async (_, report) => {
  const { text } = await written('odd.html', report)
  expect(text).not.toMatch(/NaN|undefined|Infinity/)
  expect(text).toContain('</html>')
})

test('several runs: what differed, and what came of each', async () => {
  const report = reportOf(300)
  const other = reportOf(300, { stopped: 'diverged', metrics: {}, options: { ...report.options, seed: 1 } })
  const path = join(folder, 'runs.html')
  await writeReport(path, resultOf(report, [other]))
  const text = readFileSync(path, 'utf8')
  expect(text).toContain('id="runs"')
  expect(text).toMatch(/<th scope="row">0 \(the result\)<\/th><td class="number">0<\/td>/)
  expect(text).toMatch(/<th scope="row">1<\/th><td class="number">1<\/td><td class="number">–<\/td>.*diverged/)
  const section = text.slice(text.indexOf('id="runs"'), text.indexOf('id="curves"'))
  for (const title of ['Training loss', 'Validation accuracy']) expect(section).toContain(`<figcaption>${title}</figcaption>`)
  expect(section.match(/<path class="curve"/g)).toHaveLength(4)
  const numbers = join(folder, 'runs.json')
  await writeReport(numbers, resultOf(report, [other]))
  expect(JSON.parse(readFileSync(numbers, 'utf8')).runs).toEqual(JSON.parse(JSON.stringify([report, other])))
})

test('tasks go by their names', async () => {
  const reports = [HOSTILE, 'intents'].map((task) => reportOf(30, { task }))
  const path = join(folder, 'tasks.html')
  await writeReport(path, resultOf(reports[0]!, [reports[1]!]))
  const text = readFileSync(path, 'utf8')
  expect(text).toContain('<th scope="row">intents</th>')
  expect(text).not.toMatch(/<script|\(the result\)/)
})

test('.json holds the same numbers', async () => {
  const [report, explanation] = [reportOf(20), explanationOf(2)]
  const { text } = await written('numbers.json', report, explanation)
  const prompt = { rows: 4, dModel: 2, metadata: { task: HOSTILE, model: 'nano' } }
  expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ prompt, report, explanation })))
})

test('what cannot be written is refused, and what was there stays', async () => {
  const result = resultOf(reportOf(2))
  expect(await failure(writeReport(join(folder, 'page.pdf'), result))).toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining('.html or .json'),
  })
  expect(await failure(writeReport(join(folder, 'none', 'page.html'), result))).toMatchObject({ code: 'FILE_NOT_WRITABLE' })
  expect(await failure(writeReport(join(folder, 'a.html'), {} as never))).toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining("'result'"),
  })
  expect(existsSync(join(folder, 'a.html'))).toBe(false)
  const old = join(folder, 'old.html')
  writeFileSync(old, 'old')
  expect((await failure(writeReport(old, result, { explanation: 7 as never }))).code).toBe('OPTION_INVALID')
  expect(readFileSync(old, 'utf8')).toBe('old')
})

test('html escapes whatever is put into it', () => {
  const text = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(text, (content) => {
      const escaped = html`<a title="${content}">${[content, null, false]}</a>`.text
      const [, attribute, inner] = /^<a title="([^"<>']*)">([^"<>']*)<\/a>$/s.exec(escaped) ?? []
      expect(inner).toBeDefined()
      expect(attribute).toBe(inner)
      const back = inner!
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&quot;', '"')
        .replaceAll('&#39;', "'")
        .replaceAll('&amp;', '&')
      expect(back.replaceAll('\ufffd', '')).toBe(
        content.replace(/[\p{Cc}\p{Cs}\ufffe\uffff\ufffd]/gu, (c) => ('\t\n\r'.includes(c) ? c : '')),
      )
    }),
  )
})

describe('what a run got right and wrong', () => {
  test('a row for each target, a column for each output, and one for what is no label', () => {
    const { confusion, wrong, examples } = outcomeOf(scored(['a', 'b'], ['a', 'a', 'b', 'b'], ['a', 'b', 'b', 'x']))
    expect([examples, wrong]).toEqual([4, 2])
    expect(confusion).toEqual({
      labels: ['a', 'b'],
      counts: [
        [1, 1, 0],
        [0, 1, 1],
      ],
    })
  })

  test('twenty errors at most, from all over the set, cut where they are long', () => {
    const targets = Array.from({ length: 100 }, () => 'x'.repeat(600))
    const { errors, confusion } = outcomeOf(
      scored(
        undefined,
        targets,
        targets.map((target) => target.toUpperCase()),
      ),
    )
    expect(confusion).toBeNull()
    expect(errors.map(({ where }) => where)).toEqual(Array.from({ length: 20 }, (_, i) => `dev.jsonl, line ${5 * i + 1}`))
    expect(errors[0]!.target).toBe(`${'x'.repeat(300)}…`)
  })

  test('whatever the outputs are, every row is counted once', () => {
    const word = fc.constantFrom('a', 'b', 'c')
    const row = fc.tuple(word, fc.oneof(word, fc.string()))
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), (rows) => {
        const found = outcomeOf(
          scored(
            ['a', 'b', 'c'],
            rows.map(([target]) => target),
            rows.map(([, output]) => output),
          ),
        )
        const counts = found.confusion!.counts.flat()
        const right = found.confusion!.counts.reduce((sum, counted, i) => sum + counted[i]!, 0)
        expect(counts.reduce((sum, each) => sum + each, 0)).toBe(rows.length)
        expect(rows.length - right).toBe(found.wrong)
        expect(found.errors.length).toBe(Math.min(20, found.wrong))
      }),
    )
  })
})

test('a curve of many steps is means of neighbouring ones, however often it is saved and restored', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 0, max: 3000 }), (steps, at) => {
      const stride = Math.ceil(steps / 500)
      let curve = new Curve<'loss'>(steps)
      for (let step = 1; step <= steps; step++) {
        if (step === at) {
          const saved = JSON.parse(JSON.stringify(curve))
          curve = new Curve(steps)
          curve.restore(saved)
        }
        curve.add(step, { loss: step })
      }
      const points = curve.points()
      expect(points.length).toBe(Math.ceil(steps / stride))
      points.forEach(({ step, loss }, i) => {
        expect(step).toBe(Math.min(steps, (i + 1) * stride))
        expect(loss).toBeCloseTo((step + i * stride + 1) / 2)
      })
    }),
    { numRuns: 30 },
  )
})

/** Of what a reader sees, in the page. */
const SEEN = `({
  sections: [...document.querySelectorAll('section, header')].map((section) => section.id),
  scripts: document.scripts.length,
  errors: document.querySelector('#errors').innerText,
  broken: [...document.querySelectorAll('*')].flatMap((element) => [...element.attributes]).filter(({ value }) => /NaN|undefined/.test(value)).length,
  flat: [...document.querySelectorAll('svg path')].filter((path) => path.getTotalLength() < 50).length,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  background: getComputedStyle(document.body).backgroundColor,
})`

describe.skipIf(!chromium)('in Chromium', () => {
  test('the page of a real run asks for nothing, complains of nothing, and follows the theme', async () => {
    const t5 = await load(NANO)
    const run = t5.tune({
      train: snips('train', 40),
      validation: snips('validation', 30),
      prompt: { length: 3 },
      steps: 4,
      batchSize: 4,
      evaluateEvery: 2,
    })
    const result = await run.result
    const path = join(folder, 'real.html')
    await writeReport(path, result, { explanation: await result.prompt.explain(t5) })
    const [light, dark] = [await visit(path, 'light', SEEN), await visit(path, 'dark', SEEN)]
    for (const { requests, complaints, value } of [light, dark]) {
      expect([requests, complaints]).toEqual([[pathToFileURL(path).href], []])
      expect(value).toMatchObject({ sections: SECTIONS, scripts: 0, broken: 0, flat: 0, overflow: 0 })
    }
    expect(light.value).toMatchObject({ background: 'rgb(255, 255, 255)' })
    expect(dark.value).toMatchObject({ background: 'rgb(20, 23, 27)' })
  })

  test('hostile texts are shown and nothing more', async () => {
    const { path } = await written('hostile.html', reportOf(300), explanationOf(30))
    const { requests, complaints, value } = await visit(path, 'light', SEEN)
    expect([requests, complaints]).toEqual([[pathToFileURL(path).href], []])
    expect(value).toMatchObject({
      sections: SECTIONS,
      scripts: 0,
      errors: expect.stringContaining('<script>alert("1")</script>'),
      overflow: 0,
    })
  })
})
