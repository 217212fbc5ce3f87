// `npm run sizes`: README's table of models and what they take, by `inspect`'s own figures; --write puts it there.
import { readFileSync, writeFileSync } from 'node:fs'
import { inspectFile } from '../../lib/index.js'
import { root } from '../shared.mjs'
import { publishedModels } from './models.mjs'
import { withHollowModel } from './tensors.mjs'

export { publishedModels } from './models.mjs'
export { tensorsOf } from './tensors.mjs'

/** What "to tune" is for: rows of a batch; tokens of an input and of a target; rows of the prompt. */
const RUN = { rows: 32, input: 64, target: 8, prompt: 100 }

/**
 * Bytes that a step in bfloat16 keeps for its way back (core/t5/fast_layers.h), without what it needs in passing: of each encoder block and token the residual
 * stream twice in float32, queries, keys, values and output of the attention, and the feed-forward's inner numbers; likewise of the decoder, whose blocks also keep
 * keys and values of each encoder token.
 */
export function keptBytes(config, { rows, input, target, prompt }) {
  const { d_model, d_ff, d_kv, num_heads, num_layers, num_decoder_layers = num_layers, feed_forward_proj } = config
  const inner = num_heads * d_kv
  const wide = (feed_forward_proj.startsWith('gated-') ? 2 : 1) * d_ff
  const encoderTokens = rows * (prompt + input)
  const encoder = num_layers * encoderTokens * (8 * d_model + 2 * (4 * inner + wide))
  const decoder = num_decoder_layers * rows * target * (12 * d_model + 2 * (6 * inner + wide))
  const crossed = num_decoder_layers * encoderTokens * 2 * (2 * inner)
  return encoder + decoder + crossed
}

/**
 * What the process takes beside weights and what is kept: LibTorch itself, and a layer's numbers in passing with what the allocator holds back. Measured with v1.0
 * small, v1.1 small and base, and ByT5 small, whose peaks this meets within an eighth; greater models need less in passing for what they keep.
 */
const tuningBytes = (config, weights) => 1.5e8 + weights + 1.4 * keptBytes(config, RUN)

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`

function parameters(count) {
  return count < 1e9 ? `${Math.round(count / 1e6)} M` : `${(count / 1e9).toFixed(1)} B`
}

async function row({ family, size, config }) {
  const { parameters: count, memory } = await withHollowModel(config, inspectFile)
  const tuning = tuningBytes(config, memory.bfloat16)
  const prompt = `${Math.round((RUN.prompt * config.d_model * 4) / 1e3)} kB`
  return [family, size, parameters(count), ...[memory.float32, memory.bfloat16, memory.int8, tuning].map(gigabytes), prompt]
}

export async function sizesTable() {
  const rows = []
  for (const model of publishedModels()) rows.push(await row(model))
  const cells = rows.map(([family, ...rest], i) => [family === rows[i - 1]?.[0] ? '' : family, ...rest])
  const heads = ['family', 'size', 'parameters', 'float32: file, memory', 'bfloat16', 'int8', 'to tune, bfloat16', 'prompt of 100 rows']
  return [heads, heads.map((_, i) => (i < 2 ? '---' : '---:')), ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n')
}

const PLACE = /(<!-- sizes: npm run sizes -- --write -->\n)[\s\S]*?(<!-- end of sizes -->)/

/** The table as README has it. */
export const tableIn = (readme) => PLACE.exec(readme)?.[0].split('\n').slice(1, -1).join('\n')

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const table = await sizesTable()
  const readme = new URL('README.md', root)
  if (process.argv.includes('--write'))
    writeFileSync(
      readme,
      readFileSync(readme, 'utf8').replace(PLACE, (_, begin, end) => `${begin}${table}\n${end}`),
    )
  else process.stdout.write(`${table}\n`)
}
