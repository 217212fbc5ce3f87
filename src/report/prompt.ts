import type { ExplainedRow, Explanation } from '../explain.js'
import { html, type Markup } from './markup.js'

const SHOWN = 20

/** What the prompt's rows resemble. */
export function promptRows({ rows, from, logProb }: Explanation): Markup {
  const columns = ['row', 'norm', ...(from ? ['moved', 'cosine'] : []), ...(logProb === undefined ? [] : ['effect'])]
  const table = (
    some: readonly ExplainedRow[],
    first: number,
  ) => html`<table><thead><tr>${columns.map((name) => html`<th class="number">${name}</th>`)}<th>nearest tokens</th></tr></thead>
<tbody>${some.map((row, i) => rowOf(row, first + i, from !== null))}</tbody></table>`
  const rest = rows.slice(SHOWN)
  const since = from === 'start' ? 'where the run started' : 'the other prompt'
  return html`<section id="prompt"><h2>What the prompt resembles</h2>
<p class="quiet">The tokens whose embeddings point most nearly the same way as each row, with the cosine between them. ${from && html`Moved: the distance from ${since}; cosine: to the row that it was there. `}${logProb !== undefined && html`Effect: how much more log-probability the targets have with the row than without it.`}</p>
<div class="wide">${table(rows.slice(0, SHOWN), 0)}</div>
${rest.length > 0 ? html`<details><summary>${rest.length} rows more</summary><div class="wide">${table(rest, SHOWN)}</div></details>` : null}</section>
`
}

function rowOf({ norm, drift, effect, nearest }: ExplainedRow, row: number, moved: boolean): Markup {
  const numbers = [norm, ...(moved ? [drift?.distance, drift?.similarity] : []), ...(effect === undefined ? [] : [effect])]
  const tokens = nearest.map(
    ({ id, token, similarity }) => html`<span class="token">${token ?? `<${id}>`}<small>${similarity.toFixed(2)}</small></span>`,
  )
  return html`<tr><td class="number">${row}</td>${numbers.map((value) => html`<td class="number">${value?.toFixed(2)}</td>`)}<td>${tokens}</td></tr>
`
}
