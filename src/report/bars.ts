import { scaleBand, scaleLinear } from 'd3-scale'
import { html, type Markup } from './markup.js'

export interface BarSeries {
  name: string
  /** One a group; `spread` is drawn up and down from the mean. */
  bars: readonly { mean: number; spread: number }[]
}

export interface BarFrame {
  title: string
  groups: readonly string[]
  /** How a value is written. */
  format: (value: number) => string
  /** What the y axis holds at least, beside 0. */
  include?: readonly number[]
}

const WIDTH = 900
const HEIGHT = 260
const MARGIN = { top: 14, right: 12, bottom: 24, left: 54 }
const COLOURS = 6

/** Bars in groups, with whiskers, as inline SVG whose colours are the page's. */
export function barChart(series: readonly BarSeries[], frame: BarFrame): Markup {
  const { title, groups, include = [], format } = frame
  const tops = series.flatMap(({ bars }) => bars.map(({ mean, spread }) => mean + spread)).filter(Number.isFinite)
  const highest = Math.max(...tops, ...include, 0)
  const y = scaleLinear([0, highest > 0 ? highest : 1], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(5)
  const ofGroup = scaleBand(groups, [MARGIN.left, WIDTH - MARGIN.right])
    .paddingInner(0.25)
    .paddingOuter(0.15)
  const inGroup = scaleBand(
    series.map(({ name }) => name),
    [0, ofGroup.bandwidth()],
  ).paddingInner(0.1)
  const legend = series.map(({ name }, i) => html`<span class="s${i % COLOURS}"><i></i>${name}</span>`)
  const summary = series
    .map(({ name, bars }) => `${name}: ${bars.map(({ mean }, i) => `${groups[i]} ${format(mean)}`).join(', ')}`)
    .join('; ')
  return html`<figure><figcaption>${title}</figcaption>
${series.length > 1 && html`<div class="legend">${legend}</div>`}<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}, ${summary}">
${y.ticks(5).map((tick) => gridLine(y(tick), format(tick)))}${groups.map((group) => groupName(ofGroup(group)! + ofGroup.bandwidth() / 2, group))}
${series.map(
  (
    { name, bars },
    i,
  ) => html`<g class="s${i % COLOURS}">${bars.map((bar, group) => drawn(bar, { x: ofGroup(groups[group]!)! + inGroup(name)!, width: inGroup.bandwidth(), y, label: `${name}, ${groups[group]}: ${format(bar.mean)}` }))}</g>
`,
)}</svg></figure>
`
}

function gridLine(at: number, label: string): Markup {
  return html`<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/><text x="${MARGIN.left - 8}" y="${at.toFixed(1)}" dy=".32em" text-anchor="end">${label}</text>
`
}

function groupName(at: number, name: string): Markup {
  return html`<text x="${at.toFixed(1)}" y="${HEIGHT - 6}" text-anchor="middle">${name}</text>`
}

interface Place {
  x: number
  width: number
  y: (value: number) => number
  label: string
}

/** Wider bars would look like areas. */
const WIDEST = 56

function drawn({ mean, spread }: { mean: number; spread: number }, { x, width, y, label }: Place): Markup {
  const thick = Math.min(width, WIDEST)
  const left = x + (width - thick) / 2
  const middle = (left + thick / 2).toFixed(1)
  const whisker =
    spread > 0 &&
    html`<line class="whisker" x1="${middle}" x2="${middle}" y1="${y(mean - spread).toFixed(1)}" y2="${y(mean + spread).toFixed(1)}"/>`
  return html`<rect class="block" x="${left.toFixed(1)}" y="${y(mean).toFixed(1)}" width="${thick.toFixed(1)}" height="${(y(0) - y(mean)).toFixed(1)}"><title>${label}</title></rect>${whisker}`
}
