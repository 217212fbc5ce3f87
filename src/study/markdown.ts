import type { Table } from './findings/index.js'
import { plotName } from './page.js'
import type { Plan } from './plan.js'
import { setting, type Told, type ToldSection, verdict } from './sections.js'

/** The study as Markdown, whose plots are files in `plots`, a path from where the page is. */
export function markdown(plan: Plan, { sections, left }: Told, plots: string): string {
  const missing = left.length === 0 ? [] : [`Not here: ${left.map(({ title, why }) => `${title} (${why})`).join('; ')}.`]
  return `${[`# ${plan.title}`, setting(plan), ...missing, ...sections.flatMap((section) => part(section, plots))].join('\n\n')}\n`
}

function part(section: ToldSection, folder: string): string[] {
  const { name, title, paper, plots, tables, notes = [] } = section
  return [
    ...[`## ${title}`, `**${verdict(section)}**`, `The paper: ${paper}`],
    ...plots.map((plot, i) => `![${plot.title}](${folder}/${plotName(name, i)})`),
    ...tables.flatMap(tableOf),
    ...notes,
  ]
}

function tableOf({ title, head, rows }: Table): string[] {
  const row = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return [`*${title}*`, [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')]
}

const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;')
