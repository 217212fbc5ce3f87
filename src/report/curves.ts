import { bytes, short } from '../format.js'
import type { TuneReport } from '../tune/report.js'
import { chart, type Frame, type Point, type Series } from './chart.js'
import { html, type Markup } from './markup.js'

/** What curves are drawn of, whatever was trained. */
export type Curves = Pick<TuneReport, 'steps' | 'bestStep' | 'bestMetric' | 'divergences' | 'history' | 'losses' | 'pace'>

/** The loss and the validation metrics over the run, then how it ran. */
export function curves(report: Curves): Markup {
  return html`<section id="curves"><h2>Curves</h2>
${report.divergences.map(({ step, what, rateFactor }) => html`<p class="warning">Step ${step}: ${what}${rateFactor !== null && ` It went on at ${rateFactor} of the rate.`}</p>`)}
${lossChart(report)}${metricCharts(report)}
<div class="charts">${machineCharts(report)}</div></section>
`
}

/** Fewer points are their own trend. */
const TREND_FROM = 40

function lossChart(report: Curves): Markup {
  const raw = pointsOf(report.losses, ({ loss }) => loss)
  const batch = raw.length === report.steps ? 'each step' : 'means of neighbouring steps'
  const series: Series[] =
    raw.length < TREND_FROM
      ? [{ name: batch, points: raw }]
      : [
          { name: batch, points: raw, faint: true },
          { name: 'trend', points: trend(raw) },
        ]
  return chart(series, { ...common(report), title: 'Training loss, nats a target token', format: short })
}

/** Their trend, where they are many. */
export function smooth(points: readonly Point[]): readonly Point[] {
  return points.length < TREND_FROM ? points : trend(points)
}

/** A mean over the points around each, a twentieth of all of them. */
function trend(points: readonly Point[]): Point[] {
  const reach = Math.ceil(points.length / 40)
  return points.map(({ x }, i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1)
    return { x, y: near.reduce((sum, { y }) => sum + y, 0) / near.length }
  })
}

/** A chart holds as many metrics as can be told apart. */
const METRICS = 6

function metricCharts(report: Curves): Markup[] {
  const names = [...new Set(report.history.flatMap(({ metrics }) => Object.keys(metrics)))]
  const series = names.map((name) => ({ name, points: pointsOf(report.history, ({ metrics }) => metrics[name] ?? Number.NaN) }))
  const values = report.history.flatMap(({ metrics }) => Object.values(metrics))
  const frame: Frame = { ...common(report), ...metricFrame(values), title: 'Validation metrics' }
  const charts: Markup[] = []
  for (let i = 0; i < series.length; i += METRICS) {
    const some = series.slice(i, i + METRICS)
    charts.push(chart(some, some.length === 1 ? { ...frame, title: `Validation ${some[0]!.name}` } : frame))
  }
  return charts
}

/** How metrics of such values are drawn: shares of 1 as percentages. */
export function metricFrame(values: readonly number[]): Pick<Frame, 'format' | 'include'> {
  const shares = values.every((value) => Math.abs(value) <= 1)
  const include = shares && values.some((value) => value > 0.5) ? [0, 1] : [0]
  return { format: (value) => (shares ? `${short(100 * value)} %` : short(value)), include }
}

function machineCharts(report: Curves): Markup[] {
  const { steps } = report
  return [
    chart([{ name: 'learning rate', points: pointsOf(report.losses, (point) => point.learningRate) }], {
      ...{ title: 'Learning rate', steps, format: short, small: true },
    }),
    chart([{ name: 'gradient norm', points: pointsOf(report.losses, (point) => point.gradientNorm) }], {
      ...{ title: 'Norm of the gradient', steps, format: short, small: true, log: true },
    }),
    chart([{ name: 'speed', points: pointsOf(report.pace, (point) => point.examplesPerSecond) }], {
      ...{ title: 'Speed, examples a second', steps, format: short, small: true },
    }),
    chart([{ name: 'memory', points: pointsOf(report.pace, (point) => point.rss) }], {
      ...{ title: 'Memory of the process', steps, format: bytes, small: true },
    }),
  ]
}

function common(report: Curves): Pick<Frame, 'steps' | 'mark'> {
  const best = report.bestMetric === null ? undefined : { step: report.bestStep, label: `best, step ${report.bestStep}` }
  return { steps: report.steps, mark: best }
}

export function pointsOf<T extends { step: number }>(rows: readonly T[], y: (row: T) => number): Point[] {
  return rows.map((row) => ({ x: row.step, y: y(row) }))
}
