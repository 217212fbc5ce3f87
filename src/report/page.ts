import { bytes, count, duration, metricValue } from '../format.js'
import type { TuneReport } from '../tune/report.js'
import type { ReportContents } from './contents.js'
import { curves } from './curves.js'
import { data } from './data.js'
import { flat } from './flat.js'
import { html, Markup } from './markup.js'
import { outcome } from './outcome.js'
import { promptRows } from './prompt.js'
import { runs } from './runs.js'
import { STYLE } from './style.js'

/** A page about a run that needs nothing else: no script, no other file, no network. */
export function page({ prompt, report, runs: reports = [], explanation }: ReportContents): string {
  const { task, model } = prompt.metadata
  const title = task ? `Soft prompt: ${task}` : 'Soft prompt'
  const body = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${new Markup(STYLE)}</style></head>
<body><header id="summary"><h1>${title}</h1>
<p class="quiet">${model && html`${model}, frozen. `}${ending(report)}</p>
${tiles(report, prompt)}</header>
<main>${reports.length > 1 && runs(reports, report)}${curves(report)}${outcome(report.outcome)}${data(report.data)}${explanation && promptRows(explanation)}${settings(report)}</main></body></html>
`
  return body.text
}

const ENDS = {
  steps: '',
  patience: ': the evaluations no longer became better',
  timeLimit: ': the time was up',
  diverged: ': it diverged',
}

function ending({ steps, bestStep, bestMetric, stopped, options }: TuneReport): string {
  const why = stopped === null ? ': it was cut off' : ENDS[stopped]
  const whole = steps < options.steps ? `Ended after ${count(steps)} of ${count(options.steps)} steps${why}` : `${count(steps)} steps`
  const best = bestMetric === null ? '' : `, the best by ${bestMetric}`
  return `${whole}; the prompt is that of step ${count(bestStep)}${best}.`
}

function tiles(report: TuneReport, { rows, dModel }: ReportContents['prompt']): Markup {
  const metrics = Object.entries(report.metrics).map(([name, value]): [string, string] => [`validation ${name}`, metricValue(value)])
  const facts: [string, string][] = [
    ...metrics,
    ['last training loss', report.losses.at(-1)?.loss.toFixed(3) ?? '–'],
    ['time', duration(report.seconds)],
    ['examples a second', count(Math.round(report.examplesPerSecond))],
    ['most memory', bytes(report.peakRss)],
    [`prompt: ${rows} x ${dModel}`, bytes(4 * rows * dModel)],
  ]
  return html`<dl class="tiles">${facts.map(([name, value]) => html`<div class="tile"><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

function settings({ options, versions }: TuneReport): Markup {
  const rows = [...flat(options), ...flat(versions, 'version of ')]
  return html`<section id="settings"><h2>Settings</h2>
<table><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table></section>
`
}
