import { count, metricValue, short } from '../format.js'
import type { TuneReport } from '../tune/report.js'
import { chart, type Series } from './chart.js'
import { metricFrame, pointsOf, smooth } from './curves.js'
import { flat } from './flat.js'
import { html, type Markup } from './markup.js'

/** As many losses as a chart's colours can tell apart. */
const SHOWN = 6

/** The runs of a call that had several: what differed, and what came of it. */
export function runs(reports: readonly TuneReport[], best: TuneReport): Markup {
  const differing = differences(reports)
  const metric = best.bestMetric
  const rows = reports.map((report, run) => {
    const settings = differing.map((name) => html`<td class="number">${settingsOf(report).get(name)}</td>`)
    const reached =
      metric && html`<td class="number">${report.metrics[metric] === undefined ? '–' : metricValue(report.metrics[metric])}</td>`
    const facts = [report.losses.at(-1)?.loss.toFixed(3) ?? '–', count(report.bestStep), count(report.steps), report.stopped ?? 'cut off']
    return html`<tr><th scope="row">${report.task ?? run}${best.task === undefined && isSame(report, best) && ' (the result)'}</th>${settings}${reached}${facts.map((fact) => html`<td class="number">${fact}</td>`)}</tr>
`
  })
  const columns = [...differing, ...(metric ? [`validation ${metric}`] : []), 'last loss', 'from step', 'steps', 'ended by']
  const series = reports
    .slice(0, SHOWN)
    .map((report, run) => ({ name: nameOf(report, run), points: smooth(pointsOf(report.losses, ({ loss }) => loss)) }))
  const steps = Math.max(...reports.map((report) => report.steps))
  const first = reports.length > SHOWN ? ` of the first ${SHOWN} runs` : ''
  const intro =
    best.task === undefined
      ? `${reports.length} runs learned from the same batches. The other sections are about the best.`
      : `${reports.length} tasks learned in mixed batches. The other sections are about ${best.task}.`
  return html`<section id="runs"><h2>Runs</h2><p class="quiet">${intro}</p>
<div class="wide"><table><thead><tr><th>${best.task === undefined ? 'run' : 'task'}</th>${columns.map((name) => html`<th class="number">${name}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>
${chart(series, { title: `Training loss${first}`, steps, format: short })}
${metric && chart(metricSeries(reports, metric), { title: `Validation ${metric}${first}`, steps, ...metricFrame(metricValues(reports, metric)) })}</section>
`
}

function metricValues(reports: readonly TuneReport[], metric: string): number[] {
  return reports.flatMap(({ history }) => history.map(({ metrics }) => metrics[metric] ?? Number.NaN)).filter(Number.isFinite)
}

function metricSeries(reports: readonly TuneReport[], metric: string): Series[] {
  const value = (metrics: Record<string, number>) => metrics[metric] ?? Number.NaN
  return reports.slice(0, SHOWN).map((report, run) => ({
    name: nameOf(report, run),
    points: pointsOf(report.history, ({ metrics }) => value(metrics)),
  }))
}

function nameOf({ task }: TuneReport, run: number): string {
  return task ?? `run ${run}`
}

/** Names of settings that are not the same for all runs. (The batches' seed is, though it is told only where it is not the run's own.) */
function differences(reports: readonly TuneReport[]): string[] {
  const all = reports.map(settingsOf)
  const names = new Set(all.flatMap((settings) => [...settings.keys()]))
  names.delete('batchSeed')
  return [...names].filter((name) => new Set(all.map((settings) => settings.get(name))).size > 1)
}

function settingsOf({ options }: TuneReport): Map<string, string> {
  return new Map(flat(options))
}

function isSame(a: TuneReport, b: TuneReport): boolean {
  return JSON.stringify(a.options) === JSON.stringify(b.options) && JSON.stringify(a.losses) === JSON.stringify(b.losses)
}
