import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))

/** The tasks of the study. `rows(folder)` gives { train, validation, test } of { input, target }; `folder` holds one folder a task. */
export const TASKS = {
  snips: { about: '7 intents', metrics: ['accuracy'], rows: () => jsonLines(join(EXAMPLES, 'snips')) },
  mr: { about: 'polarity of film reviews', metrics: ['accuracy'], rows: (folder) => jsonLines(join(folder, 'mr')) },
  subj: { about: 'subjective or objective', metrics: ['accuracy'], rows: (folder) => jsonLines(join(folder, 'subj')) },
  banking77: { about: '77 intents', metrics: ['accuracy'], rows: (folder) => banking77(join(folder, 'banking77')) },
  xquad: {
    about: 'answers from a paragraph, its rows cut to 80 words',
    metrics: ['accuracy', 'tokenF1'],
    rows: (folder) => cut(jsonLines(join(folder, 'xquad')), 80),
  },
}

/** `count` of the rows, the same distance apart: a file may be sorted by label. */
export function spread(rows, count) {
  return rows.length <= count ? rows : Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)])
}

/** Each input's first `words` words, of the rows whose target is among them. */
function cut(parts, words) {
  const short = ({ input, ...rest }) => ({ ...rest, input: input.split(/\s+/).slice(0, words).join(' ') })
  const whole = ({ input, target }) => input.includes(target)
  return Object.fromEntries(Object.entries(parts).map(([part, rows]) => [part, rows.map(short).filter(whole)]))
}

function jsonLines(folder) {
  const read = (part) => {
    const lines = text(join(folder, `${part}.jsonl`)).split('\n')
    return lines.filter(Boolean).map((line) => JSON.parse(line))
  }
  return { train: read('train'), validation: read('validation'), test: read('test') }
}

/** As PolyAI publishes it, with the labels' underscores as spaces, so that they are words. It has no validation rows: every twentieth training row is one. */
function banking77(folder) {
  const read = (part) =>
    parse(text(join(folder, `${part}.csv`)), { columns: true }).map((row) => ({
      input: row.text,
      target: row.category.replaceAll('_', ' '),
    }))
  const all = read('train')
  return { train: all.filter((_, i) => i % 20 !== 0), validation: all.filter((_, i) => i % 20 === 0), test: read('test') }
}

function text(path) {
  if (!existsSync(path)) throw new Error(`There is no ${path}. Name the folder that holds it with --data.`)
  return readFileSync(path, 'utf8')
}
