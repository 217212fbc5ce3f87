import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const NANO = 'models/nano-t5'
const VOCABULARY = 32128
const GENERATED = 1 << 20 // numbers written at a time

/** Shapes of T5 v1.1's sizes; what these weights answer means nothing, what they cost is what the real ones cost. */
const SIZES = {
  'v1.1-small': { d_model: 512, d_ff: 1024, num_heads: 6, num_layers: 8 },
  'v1.1-base': { d_model: 768, d_ff: 2048, num_heads: 12, num_layers: 12 },
  'v1.1-large': { d_model: 1024, d_ff: 2816, num_heads: 16, num_layers: 24 },
}

export const MODELS = ['nano-t5', ...Object.keys(SIZES)]

/** The folder of a model: nano-t5's, or of random float32 weights of a real size, made in `work` when first asked for. Another name is a folder. */
export function modelFolder(name, work) {
  if (name === 'nano-t5') return NANO
  if (!(name in SIZES)) return name
  const folder = join(work, 'models', name)
  if (existsSync(folder)) return folder
  process.stderr.write(`making ${folder}\n`)
  const beside = `${folder}.tmp`
  rmSync(beside, { recursive: true, force: true })
  mkdirSync(beside, { recursive: true })
  writeModel(beside, SIZES[name])
  renameSync(beside, folder)
  return folder
}

function writeModel(folder, size) {
  const config = {
    model_type: 't5',
    architectures: ['T5ForConditionalGeneration'],
    feed_forward_proj: 'gated-gelu',
    tie_word_embeddings: false,
    decoder_start_token_id: 0,
    pad_token_id: 0,
    eos_token_id: 1,
    vocab_size: VOCABULARY,
    d_kv: 64,
    num_decoder_layers: size.num_layers,
    ...size,
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  for (const file of ['spiece.model', 'tokenizer_config.json']) copyFileSync(join(NANO, file), join(folder, file))
  writeWeights(join(folder, 'model.safetensors'), tensorShapes(config))
}

function tensorShapes(c) {
  const inner = c.num_heads * c.d_kv
  const out = { 'shared.weight': [c.vocab_size, c.d_model], 'lm_head.weight': [c.vocab_size, c.d_model] }
  const attention = (prefix) => {
    for (const name of ['q', 'k', 'v']) out[`${prefix}${name}.weight`] = [inner, c.d_model]
    out[`${prefix}o.weight`] = [c.d_model, inner]
  }
  for (const stack of ['encoder', 'decoder']) {
    for (let i = 0; i < c.num_layers; i++) {
      const block = `${stack}.block.${i}.layer.`
      const last = stack === 'decoder' ? 2 : 1
      attention(`${block}0.SelfAttention.`)
      if (i === 0) out[`${block}0.SelfAttention.relative_attention_bias.weight`] = [32, c.num_heads]
      if (stack === 'decoder') attention(`${block}1.EncDecAttention.`)
      for (const name of ['wi_0', 'wi_1']) out[`${block}${last}.DenseReluDense.${name}.weight`] = [c.d_ff, c.d_model]
      out[`${block}${last}.DenseReluDense.wo.weight`] = [c.d_model, c.d_ff]
      for (let j = 0; j <= last; j++) out[`${block}${j}.layer_norm.weight`] = [c.d_model]
    }
    out[`${stack}.final_layer_norm.weight`] = [c.d_model]
  }
  return out
}

/** A safetensors file of float32 tensors: ones in the norms, elsewhere numbers from -0.05 to 0.05, the same ones every time. */
function writeWeights(path, shapes) {
  const header = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const [name, shape] of Object.entries(shapes)) {
    const begin = end
    end += 4 * count(shape)
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] }
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const file = openSync(path, 'w')
  for (const part of [length, text]) writeSync(file, part)
  const random = randomNumbers()
  for (const [name, shape] of Object.entries(shapes)) {
    for (let left = count(shape); left > 0; left -= GENERATED) {
      const numbers = new Float32Array(Math.min(left, GENERATED))
      if (name.includes('norm')) numbers.fill(1)
      else for (let i = 0; i < numbers.length; i++) numbers[i] = 0.1 * random() - 0.05
      writeSync(file, new Uint8Array(numbers.buffer))
    }
  }
  closeSync(file)
}

const count = (shape) => shape.reduce((a, b) => a * b, 1)

/** From 0 to 1, by Marsaglia's xorshift of 32 bits. */
function randomNumbers() {
  let state = 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
