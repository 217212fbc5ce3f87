import { parseArgs } from 'node:util'
import { SYSTEMS } from './systems.mjs'
import { TASKS } from './tasks.mjs'

const HELP = `usage: npm run study:tasks -- [options]

Tunes prompts for real tasks and writes a table of what they reach. Every cell is kept as a JSON file: a study that was stopped goes on, and nothing is measured
twice, but where settings or the package's version differ (remove the folder after a change of the code). The table holds the tasks of this call.

  --tasks LIST          of ${Object.keys(TASKS).join(', ')}; default all that are under --data, and snips
  --systems LIST        of ${Object.keys(SYSTEMS).join(', ')}; default all (peft: where there is a --peer-script)
  --seeds LIST          default 0,1,2
  --steps N             default 1000
  --length N            rows of the prompt; default 100
  --batch-size N        default 32
  --test-rows N         measure on N test rows only, the same distance apart
  --validation-rows N   likewise of the validation rows
  --data FOLDER         one folder a task (train.jsonl, validation.jsonl, test.jsonl; banking77: train.csv, test.csv)
  --model FOLDER        default models/nano-t5
  --threads N           default: the cores
  --cells FOLDER        where the cells are kept; default bench/study/cells
  --files FOLDER        where their prompts are; default build/study
  --out FILE            the page whose table is written anew; default docs/results.md
  --peer-python PATH    a Python with torch, transformers and peft, and
  --peer-script FILE    a script that tunes with PEFT (MODEL TRAIN TEST --steps --batch --length --optimizer --lr --seeds; a JSON line a run)
  --peer-adafactor LIST rates that PEFT is tried at with Adafactor; default 0.3,1 (the first: its default)
  --peer-adamw LIST     and with AdamW; default 0.001,0.3 (the first: its default)
  --peer-seeds LIST     seeds of the best of them; default 0
`

const OPTIONS = {
  tasks: { type: 'string' },
  seeds: { type: 'string', default: '0,1,2' },
  steps: { type: 'string', default: '1000' },
  length: { type: 'string', default: '100' },
  'batch-size': { type: 'string', default: '32' },
  'test-rows': { type: 'string' },
  'validation-rows': { type: 'string' },
  systems: { type: 'string' },
  data: { type: 'string', default: '' },
  model: { type: 'string', default: 'models/nano-t5' },
  threads: { type: 'string' },
  cells: { type: 'string', default: 'bench/study/cells' },
  files: { type: 'string', default: 'build/study' },
  out: { type: 'string', default: 'docs/results.md' },
  'peer-python': { type: 'string', default: process.env.SOFTPROMPT_PEER_PYTHON },
  'peer-script': { type: 'string' },
  'peer-adafactor': { type: 'string', default: '0.3,1' },
  'peer-adamw': { type: 'string', default: '0.001,0.3' },
  'peer-seeds': { type: 'string', default: '0' },
  help: { type: 'boolean', default: false },
}

/** What the command line asks for. Prints the help and ends where that is wanted. */
export function studyOptions() {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  const peer = values['peer-python'] && values['peer-script'] && { python: values['peer-python'], script: values['peer-script'] }
  const optional = (value) => (value === undefined ? undefined : Number(value))
  const numbers = (list) => list.split(',').map(Number)
  return {
    tasks: chosen('task', values.tasks, Object.keys(TASKS)) ?? (values.data ? Object.keys(TASKS) : ['snips']),
    systems: chosen('system', values.systems, Object.keys(SYSTEMS)) ?? Object.keys(SYSTEMS).filter((name) => peer || name !== 'peft'),
    ...{
      seeds: numbers(values.seeds),
      steps: Number(values.steps),
      length: Number(values.length),
      batchSize: Number(values['batch-size']),
    },
    ...{ testRows: optional(values['test-rows']), validationRows: optional(values['validation-rows']), threads: optional(values.threads) },
    ...{ data: values.data, model: values.model, cells: values.cells, files: values.files, out: values.out },
    peer: {
      ...peer,
      rates: { adafactor: numbers(values['peer-adafactor']), adamw: numbers(values['peer-adamw']) },
      seeds: numbers(values['peer-seeds']),
    },
  }
}

function chosen(what, list, known) {
  const names = list?.split(',')
  const unknown = names?.filter((name) => !known.includes(name)) ?? []
  if (unknown.length > 0) throw new Error(`There is no ${what} '${unknown.join("', '")}'. Choose from ${known.join(', ')}.`)
  return names
}
