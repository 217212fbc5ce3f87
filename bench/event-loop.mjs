import { setTimeout as sleep } from 'node:timers/promises'
import { T5 } from 'softprompt'
import { quantile } from './statistics.mjs'
import { printTable } from './table.mjs'

const DATA = 'examples/snips/train.jsonl'
const PERIOD = 10
const IDLE_SECONDS = 5
const GOAL = 30

/** How late a 10 ms timer fires, in ms, over and over until `done` is called. */
function watchTimer() {
  const delays = []
  let watching = true
  const watched = (async () => {
    while (watching) {
      const start = performance.now()
      await sleep(PERIOD)
      delays.push(performance.now() - start - PERIOD)
    }
  })()
  return async () => {
    watching = false
    await watched
    return delays
  }
}

const row = (name, delays) => [name, ...[0.5, 0.99, 1].map((q) => quantile(delays, q).toFixed(1)), delays.length]

/** The delay of a 10 ms timer while the process is idle, and while a model is tuned in it with its events read. */
export async function eventLoop({ folder, threads, batchSize = 32 }, options) {
  const t5 = await T5.load(folder, { device: 'cpu', dtype: options.trainingDtypes.at(-1), threads })
  const idle = watchTimer()
  await sleep(IDLE_SECONDS * 1000)
  const rows = [row('idle', await idle())]

  const steps = 1_000_000 // more than there is time for
  const run = t5.tune({ train: DATA, steps, batchSize, prompt: { length: options.length } })
  run.result.catch(() => {}) // it is aborted below
  let begun
  const first = new Promise((resolve) => {
    begun = resolve
  })
  const reader = (async () => {
    for await (const event of run) if (event.type === 'step') begun()
  })().catch(() => {})
  await first
  const tuning = watchTimer()
  await sleep(options.seconds * 1000)
  rows.push(row('tuning', await tuning()))
  run.abort()
  await reader
  await t5.dispose()
  const table = {
    title: `event loop: how late a timer of ${PERIOD} ms fires, in ms; goal while tuning: p99 under ${GOAL}`,
    head: ['', 'median', 'p99', 'largest', 'timers'],
    rows,
  }
  printTable(table)
  return { tables: [table] }
}
