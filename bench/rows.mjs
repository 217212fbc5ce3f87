import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TASKS } from './study/tasks.mjs'

const LONGEST = 512

/** A task's training rows, { input, target }, whole: snips of this repository, others from `data`. */
function trainingRows(task, data) {
  if (task !== 'snips' && !data) throw new Error(`it needs ${task}: name the folder that holds it with --data`)
  if (task === 'banking77') return TASKS.banking77.rows(data).train
  const lines = readFileSync(join(task === 'snips' ? 'examples' : data, task, 'train.jsonl'), 'utf8').split('\n')
  return lines.filter(Boolean).map((line) => JSON.parse(line))
}

/**
 * `count` training rows of a task, as token ids with </s>, inputs cut to 512, by the model of `process`: all contenders get the very same batches. Where there are
 * fewer rows, from the beginning again.
 */
export async function encodedRows(process, task, count, { data }) {
  const train = trainingRows(task, data)
  const rows = Array.from({ length: count }, (_, i) => train[i % train.length])
  const inputs = await process.ask('encode', { texts: rows.map(({ input }) => input) })
  const targets = await process.ask('encode', { texts: rows.map(({ target }) => target) })
  const cut = (ids) => (ids.length > LONGEST ? [...ids.slice(0, LONGEST - 1), ids.at(-1)] : ids)
  return inputs.map((input, i) => ({ input: cut(input), target: targets[i] }))
}

/** The different targets of all training rows of a task, as ids. */
export async function encodedLabels(process, task, { data }) {
  const labels = [...new Set(trainingRows(task, data).map(({ target }) => target))].sort()
  return process.ask('encode', { texts: labels })
}
