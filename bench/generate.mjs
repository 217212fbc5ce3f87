import { SoftPrompt, T5 } from 'softprompt'
import { peerRates } from './peer.mjs'
import { encodedRows } from './rows.mjs'
import { median, spread } from './statistics.mjs'

const NEW_TOKENS = 64

function randomPrompt(rows, dModel) {
  const values = Float32Array.from({ length: rows * dModel }, () => Math.random() - 0.5)
  return SoftPrompt.fromArray(values, { rows, dModel })
}

async function decodingRates(t5, rows, { rounds, batchSize, length }) {
  const prompt = randomPrompt(length, t5.config.dModel)
  const rates = []
  for (let round = 0; round <= rounds; round++) {
    const queries = Array.from({ length: batchSize }, (_, i) => rows[(round * batchSize + i) % rows.length].input)
    const start = performance.now()
    await t5.generate(queries, { prompt, minNewTokens: NEW_TOKENS, maxNewTokens: NEW_TOKENS })
    if (round > 0) rates.push((NEW_TOKENS * batchSize * 1000) / (performance.now() - start))
  }
  return rates
}

/** New tokens per second of greedy decoding, beside Hugging Face's on the same model, batches and threads. */
export async function generate(options) {
  const sizes = `batch ${options.batchSize}, prompt ${options.length}, ${NEW_TOKENS} new tokens`
  console.log(`\ngenerate: ${options.model}, ${sizes}; tokens/s, median (middle half)`)
  for (const dtype of options.dtypes) {
    const t5 = await T5.load(options.model, { dtype, threads: options.threads })
    const rows = await encodedRows(t5, options.data, (options.rounds + 1) * options.batchSize)
    const ours = await decodingRates(t5, rows, options)
    const { threads } = t5.info
    await t5.dispose()
    const peer = await peerRates('generate', rows, options, dtype, threads)
    const beside = peer ? `   Hugging Face ${spread(peer)}   ratio ${(median(ours) / median(peer)).toFixed(2)}` : ''
    console.log(`  ${dtype.padEnd(9)} softprompt ${spread(ours)}${beside}`)
  }
}
