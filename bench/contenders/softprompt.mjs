// softprompt as a process that answers the benches' requests: node softprompt.mjs MODEL DTYPE THREADS
import { fileURLToPath } from 'node:url'
import { SoftPrompt, T5 } from 'softprompt'
import { answerRequests, residentBytes, seconds } from './answer.mjs'

const [model, dtype, threads] = process.argv.slice(2)
// LibTorch is opened before anything is measured, as `import torch` does for Hugging Face.
await (await T5.load(fileURLToPath(new URL('../../models/nano-t5', import.meta.url)), { device: 'cpu', threads: 1 })).dispose()
const before = residentBytes('VmRSS')
let t5
const loading = await seconds(async () => {
  t5 = await T5.load(model, { device: 'cpu', dtype, threads: Number(threads) })
})

const prompts = new Map()
/** A prompt of noise: what it says does not change the time. */
function promptOf(rows) {
  const { dModel } = t5.config
  const noise = () => SoftPrompt.fromArray(Float32Array.from({ length: rows * dModel }, Math.random), { rows, dModel })
  if (!prompts.has(rows)) prompts.set(rows, noise())
  return prompts.get(rows)
}

await answerRequests({
  config: () => t5.config,
  encode: ({ texts }) => texts.map((text) => [...t5.tokenizer.encode(text), t5.config.eosTokenId]),
  loaded: () => loading,
  memory: () => ({ before, peak: residentBytes('VmHWM') }),

  /** A step for each batch: forward, backward and AdamW, without dropout. */
  train: ({ batches, length }) =>
    seconds(async () => {
      const { result } = t5.tune({
        train: batches.flat(),
        steps: batches.length,
        batchSize: batches[0].length,
        shuffle: false,
        prompt: { length },
        optimizer: { name: 'adamw', learningRate: 1e-3, weightDecay: 0 },
      })
      await result
    }),

  /** Exactly `tokens` new tokens a row. */
  decode: ({ rows, numBeams }) => {
    const queries = rows.map(({ input, length, tokens }) => ({
      input,
      prompt: promptOf(length),
      minNewTokens: tokens,
      maxNewTokens: tokens,
    }))
    return seconds(() => t5.generate(queries, { numBeams }))
  },

  classify: ({ inputs, labels, length }) => seconds(() => t5.classify(inputs, { labels, prompt: promptOf(length) })),
})
await t5.dispose()
