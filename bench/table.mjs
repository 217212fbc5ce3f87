import { readFileSync, writeFileSync } from 'node:fs'
import { digitsOf, median } from './statistics.mjs'

const [BEGIN, END] = ['<!-- bench begin -->', '<!-- bench end -->']

/** Puts the tables of all runs' results between the page's marks, at its end where it has none. */
export function writeTables(path, { runs }) {
  const page = readFileSync(path, 'utf8')
  const section = [BEGIN, ...runs.map(({ machine, options, results }) => runSection(machine, options, results)), END].join('\n\n')
  const [before, rest] = page.split(BEGIN)
  const after = rest === undefined ? '\n' : rest.split(END)[1]
  writeFileSync(path, `${rest === undefined ? `${before.trimEnd()}\n\n` : before}${section}${after}`)
}

/** A table in Markdown. */
export function markdown(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function runSection(machine, options, results) {
  const compared = results.filter(({ contenders }) => contenders)
  const parts = [about(machine, options)]
  if (compared.length > 0) parts.push(ratiosTable(compared), markdown(HEAD, compared.flatMap(comparisonRows)), peaksTable(compared))
  for (const { tables } of results) for (const { title, head, rows } of tables ?? []) parts.push(`**${title}**`, markdown(head, rows))
  return parts.filter(Boolean).join('\n\n')
}

function about({ processor, cores, gigabytes, load, versions }, { rounds, length, tokens }) {
  const named = Object.entries(versions).filter(([, version]) => version)
  return `${processor}, ${cores} processors, ${gigabytes} GiB, load ${load.toFixed(1)} at the start; ${named.map(([name, version]) => `${name} ${version}`).join(', ')}. ${rounds > 1 ? `Medians of ${rounds} rounds, the middle half in brackets` : 'One round'}; prompts of ${length} rows, outputs of ${tokens} tokens.${load > cores / 2 ? ' **The machine was busy**: rates are too low, and the ratios by processor time are the ones to compare.' : ''}`
}

/** How many times as long each peer took as softprompt, the median of the rounds; a column for every peer of the run. */
function ratiosTable(compared) {
  const isOwn = ({ name }) => name.startsWith('softprompt')
  const peers = [...new Set(compared.flatMap(({ contenders }) => contenders.filter((one) => !isOwn(one)).map(({ name }) => name)))]
  if (peers.length === 0) return ''
  const rows = compared.flatMap(({ case: name, model, threads, contenders }) =>
    contenders.filter(isOwn).map((own) => {
      const beside = (peer) =>
        ratioTo(
          contenders.find((one) => one.name === peer),
          own,
        )
      return [name, model, threads, own.name.replace('softprompt ', ''), ...peers.map(beside)]
    }),
  )
  return `Times that each took, over softprompt's:\n\n${markdown(['case', 'model', 'threads', 'softprompt', ...peers], rows)}`
}

function ratioTo(peer, own) {
  if (!peer || peer.failed || own.failed) return ''
  return median(peer.seconds.map((seconds, round) => seconds / own.seconds[round])).toFixed(2)
}

const HEAD = [
  'case',
  'model',
  'threads',
  'who',
  'rate',
  'x Hugging Face float32',
  'by processor time',
  "of the products' peak",
  'of a plain read',
  'peak memory',
]

function comparisonRows({ case: name, model, threads, unit, contenders }) {
  return contenders.map((entry, i) => [
    ...(i === 0 ? [name, model, threads] : ['', '', '']),
    entry.name,
    ...(entry.failed ? [`failed: ${firstLine(entry.failed)}`, '', '', '', '', ''] : measuredCells(entry, unit)),
  ])
}

function measuredCells({ rate, ratio, cpuRatio, shareOfProducts, shareOfRead, peakBytes }, unit) {
  return [
    `${threeOf(rate)} ${unit}`,
    ratio ? threeOf(ratio, 2) : '',
    cpuRatio?.toFixed(2) ?? '',
    percent(shareOfProducts),
    percent(shareOfRead),
    `${(peakBytes / 1e9).toFixed(2)} GB`,
  ]
}

function threeOf([low, middle, high], digits = digitsOf(middle)) {
  if (low === high) return middle.toFixed(digits)
  return `${middle.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}

const percent = (share) => (share === undefined ? '' : `${(100 * share).toFixed(0)} %`)
const firstLine = (text) => text.trim().split('\n')[0].replaceAll('|', '/').slice(0, 120)

/** What the machine reached just before or after each case, the more of the two. */
function peaksTable(compared) {
  const rows = compared
    .filter(({ peaks }) => peaks)
    .map(({ case: name, model, threads, peaks: { float32, bfloat16, int8, read } }) => [
      ...[name, model, threads],
      ...[float32, bfloat16, int8].map((rate) => (rate / 1e9).toFixed(0)),
      (read / 1e9).toFixed(1),
    ])
  const head = ['beside', 'model', 'threads', 'float32, GFLOP/s', 'bfloat16', 'int8', 'plain read, GB/s']
  return rows.length > 0 ? markdown(head, rows) : ''
}

/** Prints a table of a case that has no contenders. */
export function printTable({ title, head, rows }) {
  const widths = head.map((cell, i) => Math.max(...[cell, ...rows.map((row) => row[i])].map((text) => String(text).length)))
  console.log(`  ${title}`)
  for (const row of [head, ...rows]) console.log(`    ${row.map((cell, i) => String(cell).padStart(widths[i])).join('  ')}`)
}
