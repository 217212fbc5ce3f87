import { short } from '../format.js'
import { barChart } from '../report/bars.js'
import { chart } from '../report/chart.js'
import { html, Markup } from '../report/markup.js'
import { shell } from '../report/page.js'
import { STYLE } from '../report/style.js'
import type { Plot, Table } from './findings/index.js'
import type { Plan } from './plan.js'
import { setting, type Told, type ToldSection, verdict } from './sections.js'

/** The study as a page that needs nothing else. */
export function studyPage(plan: Plan, { sections, left }: Told): string {
  const missing = left.length > 0 && html`<p class="quiet">Not here: ${left.map(({ title, why }) => `${title} (${why})`).join('; ')}.</p>`
  return shell(plan.title, html`<p class="quiet">${setting(plan)}</p>${missing}`, html`${sections.map(part)}`)
}

function part(section: ToldSection): Markup {
  const { name, title, paper, agrees, plots, tables, notes = [] } = section
  return html`<section id="${name}"><h2>${title}</h2>
<div class="verdict${agrees ? '' : ' differs'}"><p>${verdict(section)}</p><p class="quiet">The paper: ${paper}</p></div>
${plots.map(drawn)}${tables.map(tableOf)}${notes.map((note) => html`<p class="quiet">${note}</p>`)}</section>
`
}

function tableOf({ title, head, rows }: Table): Markup {
  return html`<h3>${title}</h3><div class="wide"><table><thead><tr>${head.map((name) => html`<th>${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>${row.map((cell, i) => (i === 0 ? html`<th scope="row">${cell}</th>` : html`<td>${cell}</td>`))}</tr>
`,
  )}</tbody></table></div>
`
}

function drawn(plot: Plot): Markup {
  const values =
    plot.kind === 'lines'
      ? plot.series.flatMap(({ points }) => points.map(({ y }) => y))
      : plot.series.flatMap(({ bars }) => bars.map(({ mean }) => mean))
  const shares = values.every((value) => value <= 1)
  const format = (value: number) => (shares ? `${short(100 * value)} %` : short(value))
  if (plot.kind === 'bars') return barChart(plot.series, { title: plot.title, groups: plot.groups, format })
  const steps = Math.max(...plot.series.flatMap(({ points }) => points.map(({ x }) => x)))
  return chart(plot.series, { title: plot.title, steps, unit: plot.unit, format })
}

/** The plots as files of their own, for pages that cannot hold them; by their names. */
export function plotFiles({ sections }: Told): Record<string, string> {
  return Object.fromEntries(sections.flatMap(({ name, plots }) => plots.map((plot, i) => [plotName(name, i), standalone(plot)])))
}

export const plotName = (finding: string, index: number) => `${finding}${index === 0 ? '' : `-${index + 1}`}.svg`

const PLOT = { width: 900, height: 320, head: 48 }

/** The chart with its title and legend as an SVG that has its own style, for a light and a dark theme. */
function standalone(plot: Plot): string {
  const { width, height, head } = PLOT
  const [chart] = /<svg[\s\S]*<\/svg>/.exec(drawn(plot).text) as RegExpExecArray
  const document = html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 ${width + 16} ${height + 16}"><style>${new Markup(STYLE)}</style>
<rect class="sheet" x="-8" y="-8" width="${width + 16}" height="${height + 16}"/><text class="heading" x="0" y="16">${plot.title}</text>
${legend(plot.series.map(({ name }) => name))}<svg y="${head}" width="${width}" height="${height - head}" ${new Markup(chart.slice('<svg'.length))}</svg>
`
  return document.text
}

/** Names in a row, each as wide as its letters. */
function legend(names: readonly string[]): Markup[] {
  let x = 0
  return names.map((name, i) => {
    const at = x
    x += 40 + 6.5 * name.length
    return html`<g class="s${i}"><rect class="block" x="${at}" y="31" width="14" height="3"/><text x="${at + 20}" y="36">${name}</text></g>
`
  })
}
