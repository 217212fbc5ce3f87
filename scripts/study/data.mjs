// `npm run study:data -- --data FOLDER --corpus FOLDER [--out build/study]`: what the study of the paper's findings learns from, in the forms that it reads.
//   corpus/train, corpus/held-out   the text, a paragraph a line; every fiftieth paragraph is held out
//   tasks/NAME/PART.jsonl           snips, mr and banking77 (whose labels become words), and "is this in its right order?" on held-out paragraphs of two kinds
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { parse } from 'csv-parse/sync'
import { fail, rootPath } from '../shared.mjs'

const HELD_OUT = 50
/** Words of a passage, and passages of a paragraph at most. */
const WORDS = 16
const PASSAGES = 3

const { values } = parseArgs({
  options: { data: { type: 'string' }, corpus: { type: 'string' }, out: { type: 'string', default: join(rootPath, 'build/study') } },
})
if (!values.data || !values.corpus) fail('give --data FOLDER (snips, mr, banking77) and --corpus FOLDER (books.txt, textbooks.txt)')

splitCorpus()
for (const task of ['snips', 'mr'])
  for (const part of ['train', 'validation', 'test']) writeRows(task, part, jsonLines(join(values.data, task, `${part}.jsonl`)))
writeBanking()
for (const kind of ['books', 'textbooks']) writeOrder(kind)

function splitCorpus() {
  for (const file of readdirSync(values.corpus).filter((name) => name.endsWith('.txt'))) {
    const paragraphs = readFileSync(join(values.corpus, file), 'utf8').split('\n').filter(Boolean)
    write(`corpus/train/${file}`, paragraphs.filter((_, i) => i % HELD_OUT !== 0).join('\n'))
    write(`corpus/held-out/${file}`, paragraphs.filter((_, i) => i % HELD_OUT === 0).join('\n'))
  }
}

/** It has no validation rows: every twentieth training row is one. */
function writeBanking() {
  const read = (part) =>
    parse(readFileSync(join(values.data, 'banking77', `${part}.csv`), 'utf8'), { columns: true }).map(({ text, category }) => ({
      input: text,
      target: category.replaceAll('_', ' '),
    }))
  const rows = read('train')
  writeRows(
    'banking77',
    'train',
    rows.filter((_, i) => i % 20 !== 0),
  )
  writeRows(
    'banking77',
    'validation',
    rows.filter((_, i) => i % 20 === 0),
  )
  writeRows('banking77', 'test', read('test'))
}

/** Passages of held-out paragraphs, every second one with its words in another order. Seven of ten paragraphs are for training, one for validation, two for the test. */
function writeOrder(kind) {
  const random = randomNumbers(1)
  const parts = { train: [], validation: [], test: [] }
  const paragraphs = readFileSync(join(values.out, `corpus/held-out/${kind}.txt`), 'utf8').split('\n')
  for (const [i, paragraph] of paragraphs.entries()) {
    const rows = parts[i % 10 < 7 ? 'train' : i % 10 < 8 ? 'validation' : 'test']
    for (const words of passagesOf(paragraph)) {
      const wrong = rows.length % 2 === 1
      rows.push({ input: (wrong ? shuffled(words, random) : words).join(' '), target: wrong ? 'wrong' : 'right' })
    }
  }
  for (const [part, rows] of Object.entries(parts)) writeRows(`order-${kind}`, part, rows)
}

function passagesOf(paragraph) {
  const words = paragraph.split(/\s+/)
  const count = Math.min(PASSAGES, Math.floor(words.length / WORDS))
  return Array.from({ length: count }, (_, i) => words.slice(i * WORDS, (i + 1) * WORDS))
}

/** Fisher and Yates. */
function shuffled(words, random) {
  const all = [...words]
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1))
    ;[all[i], all[other]] = [all[other], all[i]]
  }
  return all
}

/** In [0, 1): a linear congruential generator (Numerical Recipes). */
function randomNumbers(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function jsonLines(path) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

function writeRows(task, part, rows) {
  write(`tasks/${task}/${part}.jsonl`, rows.map(({ input, target }) => JSON.stringify({ input, target })).join('\n'))
}

function write(path, content) {
  const full = join(values.out, path)
  mkdirSync(join(full, '..'), { recursive: true })
  writeFileSync(full, `${content}\n`)
  process.stdout.write(`${basename(values.out)}/${path}: ${content.split('\n').length} lines\n`)
}
