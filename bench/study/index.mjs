// What tuned prompts reach on real tasks, beside the bare model and PEFT. `npm run study:tasks -- --help`
import { readFileSync } from 'node:fs'
import { T5 } from 'softprompt'
import { Cells } from './cells.mjs'
import { studyOptions } from './options.mjs'
import { SYSTEMS } from './systems.mjs'
import { writeTable } from './table.mjs'
import { spread, TASKS } from './tasks.mjs'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const options = studyOptions()
const cells = new Cells(options.cells, options.files)
const t5 = await T5.load(options.model, { threads: options.threads })
const results = []
for (const name of options.tasks) {
  const { about, metrics, rows } = TASKS[name]
  const data = rows(options.data)
  if (options.testRows !== undefined) data.test = spread(data.test, options.testRows)
  if (options.validationRows !== undefined) data.validation = spread(data.validation, options.validationRows)
  const settings = { task: name, package: version, model: t5.fingerprint.slice(0, 12), testRows: data.test.length }
  const systems = []
  for (const system of options.systems) systems.push(...(await SYSTEMS[system]({ t5, task: { data, metrics }, cells, settings, options })))
  results.push({ task: name, about, rows: data.test.length, systems })
  // After each task, so that a study that is stopped has written what it knows.
  writeTable(options.out, results, { ...options, dtype: t5.dtype, threads: t5.info.threads })
}
await t5.dispose()
