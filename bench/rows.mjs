import { TASKS } from './study/tasks.mjs'

const LONGEST = 512

/**
 * Training rows of a task, as token ids with </s>, inputs cut to 512, by the model of `process`: all contenders get the very same batches. `count` of them, from
 * the beginning again where there are fewer.
 */
export async function encodedRows(process, task, count, { data }) {
  if (task !== 'snips' && !data) throw new Error(`it needs ${task}: name the folder that holds it with --data`)
  const { train } = TASKS[task].rows(data)
  const rows = Array.from({ length: count }, (_, i) => train[i % train.length])
  const inputs = await process.ask('encode', { texts: rows.map(({ input }) => input) })
  const targets = await process.ask('encode', { texts: rows.map(({ target }) => target) })
  const cut = (ids) => (ids.length > LONGEST ? [...ids.slice(0, LONGEST - 1), ids.at(-1)] : ids)
  return inputs.map((input, i) => ({ input: cut(input), target: targets[i] }))
}

/** The different targets of all training rows of a task, as ids. */
export async function encodedLabels(process, task, { data }) {
  const labels = [...new Set(TASKS[task].rows(data).train.map(({ target }) => target))].sort()
  return process.ask('encode', { texts: labels })
}
