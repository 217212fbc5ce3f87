import { parseArgs } from 'node:util'
import { TASKS } from './tasks.mjs'

const HELP = `usage: npm run study:tasks -- [options]

Tunes prompts for real tasks and writes a table of what they reach. Every cell is kept as a JSON file: a study that was stopped goes on, and nothing is measured
twice, but where settings or the package's version differ (remove the folder after a change of the code). The table holds the tasks of this call.

  --tasks LIST          of ${Object.keys(TASKS).join(', ')}; default all that are under --data, and snips
  --seeds LIST          default 0,1,2
  --steps N             default 1000
  --length N            rows of the prompt; default 100
  --batch-size N        default 32
  --test-rows N         measure on N test rows only, the same distance apart
  --data FOLDER         one folder a task (train.jsonl, validation.jsonl, test.jsonl; banking77: train.csv, test.csv)
  --model FOLDER        default models/nano-t5
  --threads N           default: the cores
  --cells FOLDER        where the cells are kept; default build/study
  --out FILE            the page whose table is written anew; default docs/results.md
  --peer-python PATH    a Python with torch, transformers and peft, and
  --peer-script FILE    a script that tunes with PEFT (MODEL TRAIN TEST --steps --batch --length --optimizer --lr --seeds; a JSON line a run)
  --peer-rates LIST     rates that PEFT is tried at; default 0.3,1,3
`

const OPTIONS = {
  tasks: { type: 'string' },
  seeds: { type: 'string', default: '0,1,2' },
  steps: { type: 'string', default: '1000' },
  length: { type: 'string', default: '100' },
  'batch-size': { type: 'string', default: '32' },
  'test-rows': { type: 'string' },
  data: { type: 'string', default: '' },
  model: { type: 'string', default: 'models/nano-t5' },
  threads: { type: 'string' },
  cells: { type: 'string', default: 'build/study' },
  out: { type: 'string', default: 'docs/results.md' },
  'peer-python': { type: 'string', default: process.env.SOFTPROMPT_PEER_PYTHON },
  'peer-script': { type: 'string' },
  'peer-rates': { type: 'string', default: '0.3,1,3' },
  help: { type: 'boolean', default: false },
}

/** What the command line asks for. Prints the help and ends where that is wanted. */
export function studyOptions() {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  const tasks = values.tasks?.split(',') ?? (values.data ? Object.keys(TASKS) : ['snips'])
  const unknown = tasks.filter((name) => !(name in TASKS))
  if (unknown.length > 0) throw new Error(`There is no task '${unknown.join("', '")}'. Choose from ${Object.keys(TASKS).join(', ')}.`)
  const optional = (value) => (value === undefined ? undefined : Number(value))
  return {
    ...{ tasks, seeds: values.seeds.split(',').map(Number) },
    ...{ steps: Number(values.steps), length: Number(values.length), batchSize: Number(values['batch-size']) },
    ...{ testRows: optional(values['test-rows']), threads: optional(values.threads) },
    ...{ data: values.data, model: values.model, cells: values.cells, out: values.out },
    peer: values['peer-python'] && values['peer-script'] && { python: values['peer-python'], script: values['peer-script'] },
    peerRates: values['peer-rates'],
  }
}
