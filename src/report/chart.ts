import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'
import { html, type Markup } from './markup.js'

export interface Point {
  x: number
  y: number
}

export interface Series {
  name: string
  points: readonly Point[]
  /** Drawn thinly, behind the others: single measurements of which another series is the trend. */
  faint?: boolean
}

/** What a chart has beside its curves. */
export interface Frame {
  title: string
  /** The x axis runs from 0 to it. */
  steps: number
  /** What x counts. @defaultValue 'step' */
  unit?: string
  /** How a value of y is written. */
  format: (value: number) => string
  /** What the y axis holds at least. @defaultValue from 0 */
  include?: readonly number[]
  /** A logarithmic y axis, where all values allow it. */
  log?: boolean
  /** A step to point out. */
  mark?: { step: number; label: string } | undefined
  /** One of two in a row. */
  small?: boolean
}

const MARGIN = { top: 14, right: 12, bottom: 24, left: 54 }
const DOTS = 40

/** Curves over the steps of a run, as inline SVG whose colours are the page's. Points that are not finite are left out. */
export function chart(series: readonly Series[], frame: Frame): Markup {
  const curves = series.map((each, i) => ({ ...each, points: each.points.filter(isFinitePoint), colour: colourOf(series, i) }))
  const { width, height } = frame.small ? { width: 440, height: 180 } : { width: 900, height: 260 }
  const x = scaleLinear([0, Math.max(1, frame.steps)], [MARGIN.left, width - MARGIN.right])
  const values = curves.flatMap(({ points }) => points.map((point) => point.y))
  const y = scaleOfY(values, frame, [height - MARGIN.bottom, MARGIN.top])
  return html`<figure><figcaption>${frame.title}</figcaption>
${curves.length > 1 ? legend(curves) : null}<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${frame.title}, ${summary(curves, frame)}">
${yAxis(y, width, frame)}${xAxis(x, height, frame)}${frame.mark && mark(frame.mark, x, height)}
${curves.map((each) => drawn(each, x, y, frame))}</svg></figure>
`
}

const isFinitePoint = ({ x, y }: Point) => Number.isFinite(x) && Number.isFinite(y)

interface Curve extends Series {
  colour: number
}

const COLOURS = 6

/** A faint series has the colour of the one that follows. */
function colourOf(series: readonly Series[], index: number): number {
  return series.slice(0, index).filter(({ faint }) => !faint).length % COLOURS
}

type Scale = ScaleContinuousNumeric<number, number>

function scaleOfY(values: readonly number[], { include = [0], log }: Frame, range: [number, number]): Scale {
  if (log && values.length > 0 && values.every((value) => value > 0)) {
    return scaleLog(extent(values), range).nice()
  }
  return scaleLinear(extent([...values, ...include]), range).nice(5)
}

/** Least and greatest; never the same. */
function extent(values: readonly number[]): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity)
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity)
  if (!(low <= high)) return [0, 1]
  return low < high ? [low, high] : [low, low === 0 ? 1 : low + Math.abs(low)]
}

function legend(curves: readonly Curve[]): Markup {
  const entries = curves.map(
    ({ name, faint, colour }) => html`<span class="s${colour}"><i class="${faint ? 'faint' : ''}"></i>${name}</span>`,
  )
  return html`<div class="legend">${entries}</div>`
}

function yAxis(y: Scale, width: number, { format, small }: Frame): Markup[] {
  const ticks = y.ticks(small ? 4 : 5)
  // A logarithmic scale has more ticks than can be labelled: its powers of ten, where there are two of them, are enough.
  const powers = ticks.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9)
  const shown = ticks.length <= 8 ? ticks : powers.length > 1 ? powers : ticks.filter((_, i) => i % Math.ceil(ticks.length / 6) === 0)
  return shown.map((tick) => {
    const at = y(tick).toFixed(1)
    return html`<line class="grid" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${at}" y2="${at}"/><text x="${MARGIN.left - 8}" y="${at}" dy=".32em" text-anchor="end">${format(tick)}</text>
`
  })
}

function xAxis(x: Scale, height: number, { small }: Frame): Markup[] {
  const whole = x.ticks(small ? 5 : 8).filter(Number.isInteger)
  return whole.map(
    (tick) => html`<text x="${x(tick).toFixed(1)}" y="${height - 6}" text-anchor="middle">${tick.toLocaleString('en-US')}</text>`,
  )
}

function mark({ step, label }: { step: number; label: string }, x: Scale, height: number): Markup {
  const at = x(step)
  const left = step > x.domain()[1]! / 2
  return html`<line class="mark" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${MARGIN.top}" y2="${height - MARGIN.bottom}"/><text x="${(at + (left ? -5 : 5)).toFixed(1)}" y="${MARGIN.top - 4}" text-anchor="${left ? 'end' : 'start'}">${label}</text>`
}

function drawn({ name, points, faint, colour }: Curve, x: Scale, y: Scale, { format, unit = 'step' }: Frame): Markup {
  const path = line<Point>(
    (point) => x(point.x),
    (point) => y(point.y),
  ).digits(1)(points)
  const dots = faint || points.length > DOTS ? [] : points
  return html`<g class="s${colour}">${path && html`<path class="curve${faint ? ' faint' : ''}" d="${path}"/>`}
${dots.map((point) => html`<circle class="dot" cx="${x(point.x).toFixed(1)}" cy="${y(point.y).toFixed(1)}" r="3.5"><title>${name}, ${unit} ${point.x}: ${format(point.y)}</title></circle>`)}</g>
`
}

function summary(series: readonly Series[], { format }: Frame): string {
  const ends = series.flatMap(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)]
    return first && last ? [`${name}: from ${format(first.y)} to ${format(last.y)}`] : []
  })
  return ends.join('; ') || 'without data'
}
