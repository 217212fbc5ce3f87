import { bytes, count, duration, metricValue } from '../format.js'
import type { TrainReport } from '../train/report.js'
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
  const header = html`<p class="quiet">${model && html`${model}, frozen. `}${ending(report)}</p>
${tiles(tilesOf(report, prompt))}`
  const main = html`${reports.length > 1 && runs(reports, report)}${curves(report)}${outcome(report.outcome)}${data(report.data)}${explanation && promptRows(explanation)}${settings(report)}`
  return shell(title, header, main)
}

/** A whole page of its parts. */
export function shell(title: string, header: Markup, main: Markup): string {
  const body = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${new Markup(STYLE)}</style></head>
<body><header id="summary"><h1>${title}</h1>
${header}</header>
<main>${main}</main></body></html>
`
  return body.text
}

const ENDS = {
  steps: '',
  patience: ': the evaluations no longer became better',
  timeLimit: ': the time was up',
  diverged: ': it diverged',
  textEnded: ': the text was at its end',
}

type AnyReport = TuneReport | TrainReport<unknown>

/** How a run ended, and which step its `result` is of. */
export function ending(
  report: Pick<AnyReport, 'steps' | 'bestStep' | 'bestMetric' | 'stopped' | 'options'>,
  result = 'the prompt is that',
): string {
  const { steps, bestStep, bestMetric, stopped, options } = report
  const why = stopped === null ? ': it was cut off' : ENDS[stopped]
  const wanted = options.steps as number
  const whole = steps < wanted ? `Ended after ${count(steps)} of ${count(wanted)} steps${why}` : `${count(steps)} steps`
  const best = bestMetric === null ? '' : `, the best by ${bestMetric}`
  return `${whole}; ${result} of step ${count(bestStep)}${best}.`
}

function tilesOf(report: TuneReport, { rows, dModel }: ReportContents['prompt']): [string, string][] {
  return [...figures(report), [`prompt: ${rows} x ${dModel}`, bytes(4 * rows * dModel)]]
}

/** What is worth a tile of any run. */
export function figures(report: Pick<AnyReport, 'metrics' | 'losses' | 'seconds' | 'examplesPerSecond' | 'peakRss'>): [string, string][] {
  const metrics = Object.entries(report.metrics).map(([name, value]): [string, string] => [`validation ${name}`, metricValue(value, name)])
  return [
    ...metrics,
    ['last training loss', report.losses.at(-1)?.loss.toFixed(3) ?? '–'],
    ['time', duration(report.seconds)],
    ['examples a second', count(Math.round(report.examplesPerSecond))],
    ['most memory', bytes(report.peakRss)],
  ]
}

export function tiles(facts: readonly [string, string][]): Markup {
  return html`<dl class="tiles">${facts.map(([name, value]) => html`<div class="tile"><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

export function settings({ options, versions }: Pick<AnyReport, 'options' | 'versions'>): Markup {
  const rows = [...flat(options), ...flat(versions, 'version of ')]
  return html`<section id="settings"><h2>Settings</h2>
<table><tbody>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table></section>
`
}
