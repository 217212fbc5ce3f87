// onnxruntime-node as a process that decodes what the benches ask for: node onnx.mjs FOLDER DTYPE THREADS CONFIG.json RUNTIME
// FOLDER is of onnx_export.py; RUNTIME is the folder whose node_modules hold onnxruntime-node.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { answerRequests, residentBytes, seconds } from './answer.mjs'

const [folder, dtype, threads, configFile, runtime] = process.argv.slice(2)
const { InferenceSession, Tensor } = createRequire(join(resolve(runtime), 'package.json'))('onnxruntime-node')
const { d_model: dModel, num_heads: numHeads, d_kv: dKv } = JSON.parse(readFileSync(configFile, 'utf8'))
const before = residentBytes('VmRSS')
const open = (part) =>
  InferenceSession.create(join(folder, `${part}.${dtype}.onnx`), { intraOpNumThreads: Number(threads), interOpNumThreads: 1 })
const [encoder, decoder] = [await open('encoder'), await open('decoder')]

/** Noise in the place of embeddings, [rows, longest, dModel], and the mask of [prompt; input]. */
function prompted(rows) {
  const longest = Math.max(...rows.map(({ input, length }) => input.length + length))
  const mask = rows.flatMap(({ input, length }) => Array.from({ length: longest }, (_, i) => (i < input.length + length ? 1n : 0n)))
  return {
    embeds: new Tensor('float32', Float32Array.from({ length: rows.length * longest * dModel }, Math.random), [
      rows.length,
      longest,
      dModel,
    ]),
    mask: new Tensor('int64', BigInt64Array.from(mask), [rows.length, longest]),
  }
}

/** Greedily, every row as long as the longest wants. */
async function generate({ embeds, mask }, batch, tokens) {
  const cross = await encoder.run({ embeds, mask })
  const blocks = Object.keys(cross).map((_, i) => i)
  const empty = new Tensor('float32', new Float32Array(0), [batch, numHeads, 0, dKv])
  let past = Object.fromEntries(blocks.map((i) => [`past.${i}`, empty]))
  let ids = new Tensor('int64', new BigInt64Array(batch), [batch, 1])
  for (let step = 0; step < tokens; step++) {
    const out = await decoder.run({ ids, mask, ...cross, ...past })
    ids = out.next
    past = Object.fromEntries(blocks.map((i) => [`past.${i}`, out[`present.${i}`]]))
  }
}

await answerRequests({
  memory: () => ({ before, peak: residentBytes('VmHWM') }),
  decode: ({ rows }) => {
    const inputs = prompted(rows)
    return seconds(() => generate(inputs, rows.length, Math.max(...rows.map(({ tokens }) => tokens))))
  },
})
