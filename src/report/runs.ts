import { count, metricValue, short } from '../format.js'
import type { TuneReport } from '../tune/report.js'
import { chart } from './chart.js'
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
    return html`<tr><th scope="row">${run}${isSame(report, best) && ' (the result)'}</th>${settings}${reached}${facts.map((fact) => html`<td class="number">${fact}</td>`)}</tr>
`
  })
  const columns = [...differing, ...(metric ? [`validation ${metric}`] : []), 'last loss', 'from step', 'steps', 'ended by']
  const series = reports
    .slice(0, SHOWN)
    .map(({ losses }, run) => ({ name: `run ${run}`, points: losses.map(({ step, loss }) => ({ x: step, y: loss })) }))
  const steps = Math.max(...reports.map((report) => report.steps))
  return html`<section id="runs"><h2>Runs</h2><p class="quiet">${reports.length} runs learned from the same batches. The other sections are about the best.</p>
<div class="wide"><table><thead><tr><th>run</th>${columns.map((name) => html`<th class="number">${name}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>
${chart(series, { title: `Training loss${reports.length > SHOWN ? ` of the first ${SHOWN} runs` : ''}`, steps, format: short })}</section>
`
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
