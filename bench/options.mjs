import { parseArgs } from 'node:util'

const HELP = `usage: npm run bench -- [event-loop] [train] [decode-1] [decode-32] [beam-4] [decode-mixed] [options]

  --model FOLDER        default models/nano-t5
  --data FILE           JSON lines of { input, target }; default examples/snips/train.jsonl
  --dtype LIST          default float32,bfloat16
  --batch-size N        of train; default 32
  --length N            rows of the prompt; default 100
  --rounds N            timed rounds of each case, one more goes before; default 7
  --threads N           default: the cores
  --seconds N           of tuning under which the event loop is watched; default 15
  --peer-python PATH    a Python with torch, transformers and peft: its rates are measured too (or SOFTPROMPT_PEER_PYTHON)
`

const OPTIONS = {
  model: { type: 'string', default: 'models/nano-t5' },
  data: { type: 'string', default: 'examples/snips/train.jsonl' },
  dtype: { type: 'string', default: 'float32,bfloat16' },
  'batch-size': { type: 'string', default: '32' },
  length: { type: 'string', default: '100' },
  rounds: { type: 'string', default: '7' },
  threads: { type: 'string' },
  seconds: { type: 'string', default: '15' },
  'peer-python': { type: 'string', default: process.env.SOFTPROMPT_PEER_PYTHON },
  help: { type: 'boolean', default: false },
}

/** What the command line asks for; `cases` are its words. Prints the help and ends where that is wanted. */
export function benchOptions() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  return {
    cases: positionals,
    model: values.model,
    data: values.data,
    dtypes: values.dtype.split(','),
    batchSize: Number(values['batch-size']),
    length: Number(values.length),
    rounds: Number(values.rounds),
    threads: values.threads === undefined ? undefined : Number(values.threads),
    seconds: Number(values.seconds),
    peerPython: values['peer-python'],
  }
}
