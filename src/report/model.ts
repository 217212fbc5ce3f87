import { count } from '../format.js'
import type { TextSummary } from '../text/summary.js'
import type { AdaptReport, FinetuneReport } from '../train/runs.js'
import { curves } from './curves.js'
import { data } from './data.js'
import { html, type Markup } from './markup.js'
import { outcome } from './outcome.js'
import { ending, figures, settings, shell, tiles } from './page.js'

/** A page about the training of a whole model; as self-contained as that about a prompt. */
export function modelPage(report: AdaptReport | FinetuneReport): string {
  const isText = 'windowTokens' in report.data
  const title = `${isText ? 'Adapted to text' : 'Fine-tuned'}: ${report.base.name}`
  const facts: [string, string][] = [
    ...figures(report),
    ['tokens a second', count(Math.round(report.tokensPerSecond))],
    ['parameters learned', count(report.parameters)],
  ]
  const header = html`<p class="quiet">${ending(report, 'the weights are those')}</p>
${tiles(facts)}`
  const about = isText ? textData(report.data as TextSummary) : data((report as FinetuneReport).data)
  return shell(title, header, html`${curves(report)}${report.outcome && outcome(report.outcome)}${about}${settings(report)}`)
}

/** The text that a run learned from and was measured on. */
function textData({ train, validation, warnings, windowTokens }: TextSummary): Markup {
  const parts = validation ? [train, validation] : [train]
  const facts: [string, (part: TextSummary['train']) => string][] = [
    ['documents', ({ documents }) => count(documents)],
    ['tokens', ({ tokens }) => count(tokens)],
    ['unknown tokens', ({ unknownTokens }) => count(unknownTokens)],
    [`windows of ${windowTokens} tokens`, ({ windows }) => (windows === null ? 'read as they come' : count(windows))],
  ]
  return html`<section id="data"><h2>Text</h2>
${warnings.map(({ message }) => html`<p class="warning">${message}</p>`)}
<table><thead><tr><th></th><th class="number">training</th>${validation && html`<th class="number">validation</th>`}</tr></thead><tbody>
${facts.map(([name, fact]) => html`<tr><th scope="row">${name}</th>${parts.map((part) => html`<td class="number">${fact(part)}</td>`)}</tr>`)}</tbody></table></section>
`
}
