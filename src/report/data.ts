import type { DataSummary, SetSummary } from '../dataset.js'
import { count, percent } from '../format.js'
import { html, type Markup } from './markup.js'

/** What the run learned from and was measured on. */
export function data({ train, validation, warnings }: DataSummary): Markup {
  const sets = validation ? [train, validation] : [train]
  return html`<section id="data"><h2>Data</h2>
${warnings.map(({ message }) => html`<p class="warning">${message}</p>`)}
<table><thead><tr><th></th><th class="number">training</th>${validation && html`<th class="number">validation</th>`}</tr></thead><tbody>
${FACTS.map(([name, fact]) => html`<tr><th scope="row">${name}</th>${sets.map((set) => html`<td class="number">${fact(set)}</td>`)}</tr>`)}</tbody></table>
${train.labels && balance(train.labels, validation?.labels ?? null)}</section>
`
}

const FACTS: readonly [string, (set: SetSummary) => string][] = [
  ['rows', ({ examples }) => count(examples)],
  ['tokens of an input: least, mean, 95 %, most', ({ inputTokens }) => lengths(inputTokens)],
  ['tokens of a target', ({ targetTokens }) => lengths(targetTokens)],
  ['inputs that were cut', ({ cutInputs }) => count(cutInputs)],
  ['targets that were cut', ({ cutTargets }) => count(cutTargets)],
  ['rows that repeat an earlier one', ({ duplicates }) => count(duplicates)],
]

function lengths({ min, mean, p95, max }: SetSummary['inputTokens']): string {
  return [min, Number(mean.toFixed(1)), p95, max].join(' · ')
}

const SHOWN = 24

function balance(train: Record<string, number>, validation: Record<string, number> | null): Markup {
  const names = [...new Set([...Object.keys(train), ...Object.keys(validation ?? {})])]
  const [ofTrain, ofValidation] = [shares(train), validation && shares(validation)]
  const most = Math.max(...Object.values(ofTrain), ...Object.values(ofValidation ?? {}))
  const bar = (share: number, colour: number) =>
    html`<span class="bar s${colour}" style="width:${((100 * share) / most).toFixed(1)}%" title="${percent(share)}"></span>`
  const rows = names.slice(0, SHOWN).map((name) => {
    const bars = [bar(ofTrain[name] ?? 0, 0), ofValidation && bar(ofValidation[name] ?? 0, 1)]
    const counts = validation ? [train[name], validation[name]] : [train[name]]
    return html`<tr><th scope="row">${name}</th>${counts.map((rows) => html`<td class="number">${count(rows ?? 0)}</td>`)}<td>${bars}</td></tr>
`
  })
  const legend =
    validation && html`<div class="legend"><span class="s0"><i></i>training</span><span class="s1"><i></i>validation</span></div>`
  const rest = names.length > SHOWN ? html`<p class="quiet">and ${names.length - SHOWN} labels more</p>` : null
  return html`<h3>Balance of the ${names.length} labels, by their share of the rows</h3>${legend}
<table class="bars full" id="balance"><tbody>${rows}</tbody></table>${rest}
`
}

function shares(counts: Record<string, number>): Record<string, number> {
  const all = Object.values(counts).reduce((sum, rows) => sum + rows, 0)
  return Object.fromEntries(Object.entries(counts).map(([name, rows]) => [name, rows / all]))
}
