import { T5 } from 'softprompt'
import { peerRates } from './peer.mjs'
import { encodedRows } from './rows.mjs'
import { median, spread } from './statistics.mjs'

const STEPS_A_ROUND = 5

/** Examples per second of each round of tuning steps; the first round, the warm-up, is left out. */
async function tuningRates(t5, train, { rounds, batchSize, length }) {
  const run = t5.tune({ train, steps: (rounds + 1) * STEPS_A_ROUND, batchSize, shuffle: false, prompt: { length } })
  const ends = []
  for await (const event of run) if (event.type === 'step' && event.step % STEPS_A_ROUND === 0) ends.push(performance.now())
  await run.result
  return ends.slice(1).map((end, i) => (STEPS_A_ROUND * batchSize * 1000) / (end - ends[i]))
}

/** Examples per second of prompt tuning, beside PEFT's on the same model, batches and threads. */
export async function train(options) {
  console.log(`\ntrain: ${options.model}, batch ${options.batchSize}, prompt ${options.length}; examples/s, median (middle half)`)
  for (const dtype of options.dtypes) {
    const t5 = await T5.load(options.model, { dtype, threads: options.threads })
    const rows = await encodedRows(t5, options.data, (options.rounds + 1) * STEPS_A_ROUND * options.batchSize)
    const ours = await tuningRates(t5, rows, options)
    const { threads } = t5.info
    await t5.dispose()
    const peer = await peerRates('train', rows, options, dtype, threads)
    const beside = peer ? `   PEFT ${spread(peer)}   ratio ${(median(ours) / median(peer)).toFixed(2)}` : ''
    console.log(`  ${dtype.padEnd(9)} softprompt ${spread(ours)}${beside}`)
  }
}
