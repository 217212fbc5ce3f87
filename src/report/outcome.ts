import { count, percent } from '../format.js'
import type { Confusion, TuneOutcome } from '../tune/outcome.js'
import { html, type Markup } from './markup.js'

/** What the prompt got right and wrong on the validation data. */
export function outcome(found: TuneOutcome | null): Markup {
  if (found === null)
    return html`<section id="outcome"><h2>Right and wrong</h2><p class="quiet">There was no validation data, so nothing is known of what the prompt gets right.</p></section>
`
  const { examples, wrong, confusion, errors } = found
  return html`<section id="outcome"><h2>Right and wrong</h2>
<p>${count(examples - wrong)} of ${count(examples)} validation outputs equal their target (${percent((examples - wrong) / examples)}).</p>
${confusion && confused(confusion)}
${errors.length > 0 ? samples(errors, wrong) : html`<p>No output was wrong.</p>`}</section>
`
}

/** A matrix of more labels could not be read. */
const MATRIX = 24

function confused(confusion: Confusion): Markup {
  return confusion.labels.length <= MATRIX ? matrix(confusion) : commonest(confusion)
}

function matrix({ labels, counts }: Confusion): Markup {
  const others = counts.some((row) => row.at(-1)! > 0)
  const columns = others ? [...labels, 'no label'] : labels
  const turned = columns.join('').length > 60 ? 'turned' : ''
  const rows = labels.map((label, i) => {
    const row = counts[i]!
    const all = sum(row)
    const cells = columns.map((_, j) => cell(row[j]!, all, i === j))
    return html`<tr><th scope="row">${label}</th>${cells}<td class="number">${share(row[i]!, all)}</td></tr>
`
  })
  const precision = labels.map((_, j) => html`<td class="number">${share(counts[j]![j]!, sum(counts.map((row) => row[j]!)))}</td>`)
  return html`<h3>Confusion matrix</h3><p class="quiet">A row for each target, a column for each output. Recall: how much of a row is right; precision: how much of a column.</p>
<div class="wide"><table class="matrix" id="confusion"><thead><tr><th>target \\ output</th>${columns.map((name) => html`<th scope="col" class="${turned}">${name}</th>`)}<th class="number">recall</th></tr></thead>
<tbody>${rows}<tr><th scope="row" class="quiet">precision</th>${precision}${others ? html`<td></td>` : null}<td></td></tr></tbody></table></div>
`
}

function cell(rows: number, all: number, right: boolean): Markup {
  const shade = all > 0 ? (rows / all).toFixed(2) : 0
  return html`<td class="cell ${right ? 'right' : 'wrong'}" style="--share:${shade}">${rows === 0 ? '' : count(rows)}</td>`
}

function commonest({ labels, counts }: Confusion): Markup {
  const pairs = counts.flatMap((row, i) =>
    row.map((rows, j) => ({ target: labels[i]!, output: labels[j] ?? 'no label', rows, wrong: i !== j })),
  )
  const worst = pairs
    .filter(({ rows, wrong }) => wrong && rows > 0)
    .sort((a, b) => b.rows - a.rows)
    .slice(0, 15)
  const rows = worst.map(
    ({ target, output, rows }) => html`<tr><td>${target}</td><td>${output}</td><td class="number">${count(rows)}</td></tr>`,
  )
  return html`<h3>Commonest confusions</h3><p class="quiet">Of ${labels.length} labels: too many for a matrix.</p>
<table id="confusion"><thead><tr><th>target</th><th>output</th><th class="number">rows</th></tr></thead><tbody>${rows}</tbody></table>
`
}

function samples(errors: TuneOutcome['errors'], wrong: number): Markup {
  const title = errors.length < wrong ? `${errors.length} of the ${count(wrong)} wrong outputs` : 'The wrong outputs'
  const rows = errors.map(
    ({ where, input, target, prediction }) =>
      html`<tr><td class="input" dir="auto" title="${where}">${input}</td><td dir="auto">${target}</td><td dir="auto">${prediction === '' ? html`<span class="quiet">(nothing)</span>` : prediction}</td></tr>
`,
  )
  return html`<h3>${title}</h3><table class="full" id="errors"><thead><tr><th>input</th><th>target</th><th>output</th></tr></thead><tbody>${rows}</tbody></table>
`
}

function share(part: number, all: number): string {
  return all === 0 ? '–' : percent(part / all, 0)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
