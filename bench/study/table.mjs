import { readFileSync, writeFileSync } from 'node:fs'

const [BEGIN, END] = ['<!-- study:tasks begin -->', '<!-- study:tasks end -->']

/** Puts a table of the results between the page's marks, at its end where it has none. */
export function writeTable(path, results, options) {
  const page = readFileSync(path, 'utf8')
  const section = `${BEGIN}\n${heading(options)}\n\n${table(results)}\n${END}`
  const [before, rest] = page.split(BEGIN)
  const after = rest === undefined ? '\n' : rest.split(END)[1]
  writeFileSync(path, `${rest === undefined ? `${before.trimEnd()}\n\n` : before}${section}${after}`)
}

function heading({ model, steps, length, batchSize, dtype, threads, testRows, validationRows }) {
  const rows = testRows === undefined ? '' : ` of up to ${testRows} test rows`
  const validation = validationRows === undefined ? '' : ` on up to ${validationRows} validation rows`
  return `## Tasks

\`npm run study:tasks\`: ${model}, prompts of ${length} rows, ${steps} steps of ${batchSize}, the package's defaults otherwise (${dtype}, ${threads} thread${threads === 1 ? '' : 's'}). Accuracy is the share${rows} whose
greedy output equals the target; of several seeds the mean, with the least and the greatest. Best step: that with the best evaluation${validation}, whose prompt is the one
measured (PEFT's is its last). Seconds are those of training and its evaluations, on a machine that may be busy.`
}

export function table(results) {
  const lines = results.flatMap(({ task, about, rows, systems }) =>
    systems.map(({ name, runs }, i) => {
      const seeds = runs.length === 1 ? '' : ` (${runs.length} seeds)`
      const cells = [i === 0 ? `${task}: ${about}` : '', name + seeds, spread(runs, 'accuracy'), spread(runs, 'tokenF1')]
      return `| ${[...cells, rows, runs[0].steps || '', bestSteps(runs), seconds(runs)].join(' | ')} |`
    }),
  )
  return [
    '| task | system | accuracy | token F1 | test rows | steps | best step | seconds |',
    '|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

function bestSteps(runs) {
  return runs.flatMap(({ bestStep }) => (bestStep === undefined ? [] : [bestStep])).join(', ')
}

/** '82.1 %', or '82.1 % (79.4 to 85.6)'. */
function spread(runs, metric) {
  const values = runs.map(({ metrics }) => metrics[metric]).filter((value) => value !== undefined)
  if (values.length === 0) return ''
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const show = (share) => (100 * share).toFixed(1)
  return values.length === 1 ? `${show(mean)} %` : `${show(mean)} % (${show(Math.min(...values))} to ${show(Math.max(...values))})`
}

function seconds(runs) {
  const mean = runs.reduce((sum, run) => sum + run.seconds, 0) / runs.length
  return mean === 0 ? '' : mean.toFixed(0)
}
