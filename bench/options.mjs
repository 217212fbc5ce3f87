import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { MODELS } from './models.mjs'
import { PEERS } from './peers.mjs'

const help = (cases) => `usage: npm run bench -- CASE ... | all [options]

Prints figures, and ratios to Hugging Face's in the same run; asserts nothing. Run it on a machine that does nothing else.

${Object.entries(cases)
  .map(([name, { about }]) => `  ${name.padEnd(13)} ${about}`)
  .join('\n')}

'all' is every case but ${unlisted(cases).join(', ')}.

  --peer-python PATH  a Python with torch, transformers and peft: without it there are no ratios and no shares of the machine's peak (or SOFTPROMPT_PEER_PYTHON)
  --peers LIST        of ${PEERS.join(', ')};
                      default: all that the case has, onnx-* with --onnx only
  --onnx              with onnxruntime-node too: fetches it and its exporter into --work when first asked for (npm, pip)
  --quick             two rounds (one of train-long), all threads, no model larger than v1.1-small but for load, nothing compiled: about a quarter of an hour for 'all'
  --models LIST       of ${MODELS.join(', ')}, or folders; default: the case's own
  --dtypes LIST       of softprompt's, int8 too (no training); default float32,bfloat16
  --threads LIST      default: 1 and the cores
  --rounds N          that are timed, in turns; one more goes before; default 5
  --data FOLDER       one folder a task, for train-long (xquad) and classify (banking77); snips is here
  --work FOLDER       where models and exports are made and kept; default build/bench
  --prepare           only make what the cases need there
  --json FILE         the results, written after each case; with --add they join those that are there
  --page FILE         the page whose tables are written anew from the results, such as docs/performance.md
  --from FILE         no runs: the tables of --page from this JSON
  --profile           softprompt's processes run under Linux's perf: where processor time goes, in JavaScript, C++ and the system
  --batch-size N, --length N, --tokens N   smaller batches, prompts, outputs than the case's, to try things out
  --seconds N         of event-loop and of each part of serve; default 15
  --minutes N         of soak; default 10
  --clients N         of serve, each of which asks again when it is answered; default 8
`

const OPTIONS = {
  'peer-python': { type: 'string', default: process.env.SOFTPROMPT_PEER_PYTHON },
  peers: { type: 'string' },
  onnx: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  models: { type: 'string' },
  dtypes: { type: 'string', default: 'float32,bfloat16' },
  threads: { type: 'string' },
  rounds: { type: 'string' },
  data: { type: 'string' },
  work: { type: 'string', default: 'build/bench' },
  prepare: { type: 'boolean', default: false },
  json: { type: 'string' },
  add: { type: 'boolean', default: false },
  page: { type: 'string' },
  from: { type: 'string' },
  profile: { type: 'boolean', default: false },
  'batch-size': { type: 'string' },
  length: { type: 'string', default: '100' },
  tokens: { type: 'string', default: '64' },
  seconds: { type: 'string', default: '15' },
  minutes: { type: 'string', default: '10' },
  clients: { type: 'string', default: '8' },
  help: { type: 'boolean', default: false },
}

export const unlisted = (cases) => Object.keys(cases).filter((name) => cases[name].only)

/** What the command line asks for, of the `cases` { name: { about, only? } }. Prints the help, or what is wrong, and ends where that is due. */
export function benchOptions(cases) {
  try {
    return checked(cases)
  } catch (error) {
    console.error(`${error.message}\n\`npm run bench -- --help\` has all options.`)
    return process.exit(2)
  }
}

function checked(cases) {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  if (values.help || (positionals.length === 0 && !values.from)) {
    process.stdout.write(help(cases))
    process.exit(0)
  }
  if (values.from && !values.page) throw new Error('--from needs --page: the page whose tables are written.')
  const dtypes = list(values.dtypes)
  const cores = availableParallelism()
  const threads = values.threads === undefined ? (values.quick ? [cores] : [...new Set([1, cores])]) : list(values.threads)
  return {
    ...values,
    cases: chosen(cases, positionals),
    peerPython: values['peer-python'],
    peers: values.peers === undefined ? undefined : list(values.peers).map((name) => oneOf('--peers', name, PEERS)),
    models: values.models === undefined ? undefined : list(values.models),
    dtypes,
    trainingDtypes: dtypes.filter((dtype) => dtype !== 'int8'),
    threads: threads.map((value) => number('--threads', value)),
    rounds: values.rounds === undefined ? (values.quick ? 2 : 5) : number('--rounds', values.rounds),
    batchSize: values['batch-size'] === undefined ? undefined : number('--batch-size', values['batch-size']),
    ...Object.fromEntries(
      ['length', 'tokens', 'clients', 'seconds', 'minutes'].map((name) => [
        name,
        number(`--${name}`, values[name], /seconds|minutes/.test(name)),
      ]),
    ),
  }
}

function chosen(cases, names) {
  const known = names.map((name) => oneOf('the cases', name, ['all', ...Object.keys(cases)]))
  return Object.keys(cases).filter((name) => known.includes(name) || (known.includes('all') && !cases[name].only))
}

const list = (text) => text.split(',').filter(Boolean)

function oneOf(option, name, choices) {
  if (!choices.includes(name)) throw new Error(`${option}: there is no '${name}'. Choose from ${choices.join(', ')}.`)
  return name
}

function number(option, text, fraction = false) {
  const value = Number(text)
  if (!(value > 0) || (!fraction && !Number.isInteger(value)))
    throw new Error(`${option} must be a ${fraction ? '' : 'whole '}number above 0, not '${text}'.`)
  return value
}
