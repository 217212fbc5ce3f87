// The tensors of a T5 by its config.json, without their numbers: a checkpoint of any size that takes no room on the disk.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** [[name, shape], ...] with Hugging Face's names. */
export function tensorsOf(config) {
  const head = config.tie_word_embeddings ? [] : [['lm_head.weight', [config.vocab_size, config.d_model]]]
  return [['shared.weight', [config.vocab_size, config.d_model]], ...stack(config, 'encoder'), ...stack(config, 'decoder'), ...head]
}

function stack(config, name) {
  const blocks = name === 'encoder' ? config.num_layers : (config.num_decoder_layers ?? config.num_layers)
  const all = Array.from({ length: blocks }, (_, i) => block(config, `${name}.block.${i}.layer`, name === 'decoder', i))
  return [...all.flat(), [`${name}.final_layer_norm.weight`, [config.d_model]]]
}

function block(config, prefix, isDecoder, index) {
  const { d_model, num_heads, relative_attention_num_buckets = 32 } = config
  const hasBias = index === 0 || config.model_type === 'umt5'
  const bias = [`${prefix}.0.SelfAttention.relative_attention_bias.weight`, [relative_attention_num_buckets, num_heads]]
  const norm = (layer) => [`${prefix}.${layer}.layer_norm.weight`, [d_model]]
  const last = isDecoder ? 2 : 1
  return [
    ...attention(config, `${prefix}.0.SelfAttention`),
    ...(hasBias ? [bias] : []),
    norm(0),
    ...(isDecoder ? [...attention(config, `${prefix}.1.EncDecAttention`), norm(1)] : []),
    ...feedForward(config, `${prefix}.${last}.DenseReluDense`),
    norm(last),
  ]
}

function attention({ d_model, d_kv, num_heads }, prefix) {
  const inner = num_heads * d_kv
  return [...['q', 'k', 'v'].map((name) => [`${prefix}.${name}.weight`, [inner, d_model]]), [`${prefix}.o.weight`, [d_model, inner]]]
}

function feedForward({ d_model, d_ff, feed_forward_proj }, prefix) {
  const ins = feed_forward_proj.startsWith('gated-') ? ['wi_0', 'wi_1'] : ['wi']
  return [...ins.map((name) => [`${prefix}.${name}.weight`, [d_ff, d_model]]), [`${prefix}.wo.weight`, [d_model, d_ff]]]
}

/** What `use` makes of a model's folder whose weights are a hole of the right size. */
export async function withHollowModel(config, use) {
  const folder = mkdtempSync(join(tmpdir(), 'softprompt-sizes-'))
  try {
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
    let end = 0
    const entries = tensorsOf(config).map(([name, shape]) => {
      const begin = end
      end += 4 * shape.reduce((a, b) => a * b, 1)
      return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }]
    })
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    const file = join(folder, 'model.safetensors')
    writeFileSync(file, Buffer.concat([length, header]))
    truncateSync(file, 8 + header.length + end)
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
