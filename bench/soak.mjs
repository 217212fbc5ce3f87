import { memoryUsage } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { SoftPrompt, T5 } from 'softprompt'
import { leastSquares } from './statistics.mjs'
import { printTable } from './table.mjs'

const DATA = 'examples/snips/train.jsonl'
const SAMPLE_SECONDS = 2
/** Batch and prompt of the runs, in turn; the largest come first, so that growth is not growth of the work. */
const SIZES = [
  [16, 60],
  [3, 20],
  [9, 100],
  [1, 1],
]
const WARM = 0.2 // share of the time in which memory may still find its size

/**
 * Tuning runs one after the other, and beside them requests of every kind with lengths that change: does the process's memory grow? Samples of it, and the slope of
 * the line through those behind the warm-up, by least squares.
 */
export async function soak({ folder, threads }, options) {
  const t5 = await T5.load(folder, { device: 'cpu', dtype: options.trainingDtypes.at(-1), threads })
  const end = performance.now() + options.minutes * 60_000
  const going = () => performance.now() < end
  const counts = { runs: 0, steps: 0, calls: 0 }
  const samples = []
  await Promise.all([tuning(t5, going, counts), calling(t5, going, counts), sampling(going, samples)])
  await t5.dispose()

  const settled = samples.slice(Math.floor(samples.length * WARM))
  if (settled.length < 3)
    throw new Error(`--minutes ${options.minutes} gives too few samples of memory, one every ${SAMPLE_SECONDS} seconds.`)
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1)
  const hourly = (what) => {
    const { slope, error } = leastSquares(settled.map((sample) => [sample.seconds, sample[what]]))
    return `${megabytes(slope * 3600)} +- ${megabytes(error * 3600)}`
  }
  const table = {
    title: `soak: ${options.minutes} minutes, ${t5.dtype}; resident memory in MB`,
    head: ['runs', 'steps', 'calls', 'samples', 'first', 'last', 'most', 'slope, MB an hour', "of that JavaScript's"],
    rows: [
      [
        ...[counts.runs, counts.steps, counts.calls, settled.length],
        ...[settled[0].resident, settled.at(-1).resident, Math.max(...settled.map(({ resident }) => resident))].map(megabytes),
        ...[hourly('resident'), hourly('javascript')],
      ],
    ],
  }
  printTable(table)
  return { tables: [table], samples }
}

async function tuning(t5, going, counts) {
  for (; going(); counts.runs++) {
    const [batchSize, length] = SIZES[counts.runs % SIZES.length]
    const run = t5.tune({ train: DATA, steps: 20, batchSize, prompt: { length }, seed: counts.runs })
    for await (const event of run) {
      if (event.type === 'step') counts.steps++
      if (!going()) run.abort()
    }
    await run.result.catch(() => {}) // aborted when the time is over
  }
}

async function calling(t5, going, counts) {
  const words = 'play some music by the sea and book a table for two at noon'.split(' ')
  const { dModel } = t5.config
  const labels = ['PlayMusic', 'BookRestaurant', 'GetWeather']
  for (; going(); counts.calls++) {
    const [n, rows] = [counts.calls, 1 + (counts.calls % 40)]
    const prompt = SoftPrompt.fromArray(new Float32Array(rows * dModel).fill(0.1), { rows, dModel })
    const inputs = Array.from({ length: 1 + (n % 5) }, (_, i) => words.slice(0, 1 + ((n + i) % words.length)).join(' '))
    if (n % 4 === 0) await t5.classify(inputs, { labels, prompt })
    else if (n % 4 === 1) await t5.score(inputs.map((input) => ({ input, target: labels[n % 3], prompt })))
    else if (n % 4 === 2) for await (const _ of t5.stream(inputs[0], { prompt, maxNewTokens: 12 })) if (!going()) break
    if (n % 4 === 3) await t5.generate(inputs, { prompt, maxNewTokens: 1 + (n % 30), numBeams: 1 + (n % 3) })
  }
}

async function sampling(going, samples) {
  const start = performance.now()
  while (going()) {
    await sleep(1000 * SAMPLE_SECONDS)
    const { rss, heapTotal, external } = memoryUsage()
    samples.push({ seconds: (performance.now() - start) / 1000, resident: rss, javascript: heapTotal + external })
  }
}
