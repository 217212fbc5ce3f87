import { count, metricValue, percent } from '../format.js'
import { parameterTable } from './parameters.js'
import { type Cell, cellName, initName } from './plan.js'
import type { CellResult } from './run.js'

/** A table, for any form of page. */
export interface Table {
  title: string
  /** What it is about, a sentence. */
  about: string
  head: string[]
  rows: string[][]
}

type PromptResult = CellResult & { cell: Cell & { kind: 'prompt' } }

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** The mean over the seeds and, of several, how far they spread (standard deviation). */
export function scoreText(values: readonly number[]): string {
  const middle = mean(values)
  if (values.length < 2) return metricValue(middle)
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1))
  return `${metricValue(middle)} ± ${metricValue(spread)}`
}

export function tablesOf(results: readonly CellResult[]): Table[] {
  const prompts = results.filter((result): result is PromptResult => result.cell.kind === 'prompt')
  const tables = [all(results), ensembles(prompts), shifted(results), nearest(prompts), parameters()]
  return tables.filter(({ rows }) => rows.length > 0)
}

function all(results: readonly CellResult[]): Table {
  const rows = results.map(({ cell, learned, parameters, scores, invalid, seconds }) => [
    ...[cell.model, String(cell.adaptSteps), ...(cell.kind === 'prompt' ? [String(cell.length), initName(cell.init)] : ['all', '–'])],
    ...[count(learned), percent(learned / (parameters + (cell.kind === 'prompt' ? learned : 0)), 4)],
    ...[scoreText(scores.test as number[]), invalid === null ? '–' : percent(invalid), `${seconds.toFixed(0)} s`],
  ])
  return {
    title: 'Results',
    about: 'On the test set: the mean over the seeds, and their standard deviation. Invalid: outputs that are no label.',
    head: ['model', 'adaptation steps', 'prompt rows', 'initialisation', 'learned', 'share', 'test', 'invalid', 'time'],
    rows,
  }
}

/** Section 6: five prompts vote. */
function ensembles(results: readonly PromptResult[]): Table {
  const rows = results
    .filter(({ scores }) => (scores.test as number[]).length > 1)
    .map(({ cell, scores, ensemble }) => {
      const test = scores.test as number[]
      return [cellName(cell), metricValue(mean(test)), metricValue(Math.max(...test)), metricValue(ensemble.test as number)]
    })
  return {
    title: 'Ensembles',
    about: "The seeds' prompts, which share one model and one batch, by vote.",
    head: ['', 'mean', 'best', 'ensemble'],
    rows,
  }
}

/** Section 5: what was learned on one domain, on others. */
function shifted(results: readonly CellResult[]): Table {
  const names = Object.keys(results[0]?.scores ?? {}).filter((name) => name !== 'test')
  const rows =
    names.length === 0
      ? []
      : results.map(({ cell, scores }) => [cellName(cell), ...['test', ...names].map((name) => scoreText(scores[name] as number[]))])
  return { title: 'Domain shift', about: 'Trained on one domain, measured on others.', head: ['', 'test', ...names], rows }
}

/** Section 7. */
function nearest(results: readonly PromptResult[]): Table {
  const rows = results
    .filter((result) => result.nearest.length > 0)
    .map((result) => [cellName(result.cell), result.nearest.map((tokens) => tokens.join(' ')).join(' · ')])
  return {
    title: 'Nearest tokens',
    about: "The three tokens nearest to each of the first rows of the first seed's prompt, by cosine.",
    head: ['', 'rows'],
    rows,
  }
}

function parameters(): Table {
  const rows = parameterTable(100).map(({ name, prompt, all, share }) => [name, count(prompt), count(all), percent(share, 4)])
  return {
    title: 'Parameters',
    about: "The paper's five sizes of T5 v1.1 with a prompt of 100 rows, computed from their configs.",
    head: ['size', 'prompt', 'all', 'share'],
    rows,
  }
}

export function markdown(title: string, tables: readonly Table[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
  const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  const parts = tables.map(
    ({ title, about, head, rows }) =>
      `## ${title}\n\n${about}\n\n${[row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')}\n`,
  )
  return `# ${title}\n\n${parts.join('\n')}`
}
