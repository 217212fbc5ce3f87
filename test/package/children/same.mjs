// Learns and answers with the package's model; prints what came out, to the bit. Run by every version of Node on the one prebuilt binary.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { T5 } from '../../../lib/index.js'

const path = (name) => fileURLToPath(new URL(`../../../${name}`, import.meta.url))
const train = readFileSync(path('examples/snips/train.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .slice(0, 64)
  .map((line) => JSON.parse(line))

const t5 = await T5.load(path('models/nano-t5'), { device: 'cpu', dtype: 'float32', threads: 1 })
const { prompt } = await t5.tune({ train, prompt: { length: 8 }, steps: 4, batchSize: 16, seed: 7 }).result
const generations = await t5.generate(['play some jazz', 'will it rain tomorrow'], { prompt, maxNewTokens: 12, doSample: true, seed: 3 })
const [scored] = await t5.score([{ input: 'play some jazz', target: 'music', prompt }])
await t5.dispose()

const digest = createHash('sha256').update(new Uint8Array(prompt.data.buffer)).digest('hex')
console.log(JSON.stringify({ digest, texts: generations.map(({ text, logProb }) => [text, logProb]), logProb: scored.logProb }))
