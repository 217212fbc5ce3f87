import { short } from '../format.js'
import { chart, type Series } from '../report/chart.js'
import { html, type Markup } from '../report/markup.js'
import { shell } from '../report/page.js'
import { type Cell, initName, type Plan } from './plan.js'
import type { CellResult } from './run.js'
import { type Table, tablesOf } from './tables.js'

/** The study as a page that needs nothing else: charts and tables. */
export function studyPage(title: string, plan: Plan, results: readonly CellResult[]): string {
  const { metric, seeds, steps, batchSize, preset } = plan
  const header = html`<p class="quiet">${metric}, ${seeds.length} seed${seeds.length === 1 ? '' : 's'}, ${steps} steps of ${batchSize}, preset ${preset}.</p>`
  return shell(title, header, html`${charts(metric, results)}${tablesOf(results).map(table)}`)
}

function charts(metric: string, results: readonly CellResult[]): Markup {
  const byLength = series(
    results,
    ({ kind }) => kind === 'prompt',
    (cell) => (cell.kind === 'prompt' ? cell.length : 0),
    seriesOfLength,
  )
  const byAdaptation = series(
    results,
    () => true,
    ({ adaptSteps }) => adaptSteps,
    seriesOfAdaptation,
  )
  const drawn = [curve('rows of the prompt', metric, byLength, 'rows'), curve('steps of adaptation', metric, byAdaptation, 'step')]
  return html`<div class="charts">${drawn}</div>`
}

const modelOf = ({ model, adaptSteps }: Cell) => (adaptSteps > 0 ? `${model} adapted ${adaptSteps} steps` : model)
const seriesOfLength = (cell: Cell) => (cell.kind === 'prompt' ? `${modelOf(cell)}, ${initName(cell.init)}` : '')
const seriesOfAdaptation = (cell: Cell) =>
  cell.kind === 'prompt' ? `${cell.model}, ${cell.length} rows, ${initName(cell.init)}` : `${cell.model}, all parameters`

/** As many as a chart's colours can tell apart. */
const SHOWN = 6

/** Curves of test scores over something that cells differ in; those of a single point are left out. */
function series(
  results: readonly CellResult[],
  wanted: (cell: Cell) => boolean,
  x: (cell: Cell) => number,
  name: (cell: Cell) => string,
): Series[] {
  const points = new Map<string, { x: number; y: number }[]>()
  for (const { cell, scores } of results) {
    if (!wanted(cell)) continue
    const test = scores.test as number[]
    const known = points.get(name(cell)) ?? []
    points.set(name(cell), [...known, { x: x(cell), y: test.reduce((sum, value) => sum + value, 0) / test.length }])
  }
  const curves = [...points].map(([name, all]) => ({ name, points: all.sort((a, b) => a.x - b.x) }))
  return curves.filter((one) => one.points.length > 1).slice(0, SHOWN)
}

function curve(what: string, metric: string, curves: readonly Series[], unit: string): Markup | null {
  if (curves.length === 0) return null
  const values = curves.flatMap(({ points }) => points.map(({ y }) => y))
  const shares = values.every((value) => Math.abs(value) <= 1)
  const steps = Math.max(...curves.flatMap(({ points }) => points.map(({ x }) => x)))
  const format = (value: number) => (shares ? `${short(100 * value)} %` : short(value))
  return chart(curves, { title: `Test ${metric} by ${what}`, steps, unit, format, small: true, ...(shares && { include: [0, 1] }) })
}

function table({ title, about, head, rows }: Table): Markup {
  return html`<section><h2>${title}</h2><p class="quiet">${about}</p>
<div class="wide"><table><thead><tr>${head.map((name) => html`<th>${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>${row.map((cell, i) => (i === 0 ? html`<th scope="row">${cell}</th>` : html`<td>${cell}</td>`))}</tr>
`,
  )}</tbody></table></div></section>
`
}
