// From a folder to the first token, and the peak of memory: a large checkpoint of made-up numbers, beside Hugging Face's from_pretrained and generate, in pairs.
// (To the first token, because from_pretrained maps a file whose dtype is the wanted one and reads it only when it is used.)
//   node bench/load.mjs --peer-python PYTHON [--gigabytes 3] [--rounds 3] [--folder DIR]
// Each load is a process of its own (the file is in the system's cache from the second on). The files are deleted afterwards.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    'peer-python': { type: 'string', default: process.env.SOFTPROMPT_PEER_PYTHON },
    gigabytes: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
  },
})

/** T5 v1.1 of the large size's width; blocks enough for the size asked for. */
function shape(bytes) {
  const [d, ff, inner, vocab] = [1024, 2816, 1024, 32128]
  const attention = 4 * d * inner
  const block = 2 * (attention + 3 * d * ff) + attention // an encoder's and a decoder's
  const layers = Math.max(1, Math.round((bytes / 4 - 2 * vocab * d) / block))
  return { d_model: d, d_ff: ff, d_kv: 64, num_heads: 16, num_layers: layers, num_decoder_layers: layers, vocab_size: vocab }
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

function writeModel(folder, bytes) {
  const config = {
    model_type: 't5',
    architectures: ['T5ForConditionalGeneration'],
    feed_forward_proj: 'gated-gelu',
    tie_word_embeddings: false,
    decoder_start_token_id: 0,
    ...shape(bytes),
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const header = { __metadata__: { format: 'pt' } }
  let at = 0
  for (const [name, sizes] of Object.entries(tensorShapes(config))) {
    const size = 4 * sizes.reduce((a, b) => a * b, 1)
    header[name] = { dtype: 'F32', shape: sizes, data_offsets: [at, at + size] }
    at += size
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const file = openSync(join(folder, 'model.safetensors'), 'w')
  writeSync(file, length)
  writeSync(file, text)
  const piece = new Float32Array(1 << 20)
  let state = 1
  for (let i = 0; i < piece.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    piece[i] = state / 2 ** 36
  }
  const numbers = Buffer.from(piece.buffer)
  for (let left = at; left > 0; left -= numbers.length) writeSync(file, numbers, 0, Math.min(left, numbers.length))
  closeSync(file)
  return at
}

const ours = (folder, dtype) => `
  const { T5 } = await import(${JSON.stringify(new URL('../lib/index.js', import.meta.url).href)})
  const { readFileSync } = await import('node:fs')
  const size = (field) => 1024 * Number(new RegExp('^' + field + ':\\\\s+(\\\\d+)', 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1])
  await (await T5.load(${JSON.stringify(fileURLToPath(new URL('../models/nano-t5', import.meta.url)))}, { device: 'cpu' })).dispose()
  const before = size('VmRSS'), start = performance.now()
  const t5 = await T5.load(${JSON.stringify(folder)}, { device: 'cpu', dtype: '${dtype}' })
  const loaded = performance.now()
  await t5.generate(Int32Array.of(3, 4, 5, 1), { maxNewTokens: 1 })
  console.log(JSON.stringify({ load: (loaded - start) / 1000, seconds: (performance.now() - start) / 1000, bytes: size('VmHWM') - before }))
  process.exit(0)`

const theirs = (folder, dtype) => `
import json, re, time, torch
from transformers import T5ForConditionalGeneration as Model
size = lambda field: 1024 * int(re.search(field + r':\\s+(\\d+)', open('/proc/self/status').read())[1])
before, start = size('VmRSS'), time.perf_counter()
model = Model.from_pretrained(${JSON.stringify(folder)}, dtype=torch.${dtype})
loaded = time.perf_counter()
model.generate(torch.tensor([[3, 4, 5, 1]]), max_new_tokens=1)
print(json.dumps({'load': loaded - start, 'seconds': time.perf_counter() - start, 'bytes': size('VmHWM') - before}))`

function measured(command, args) {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr.slice(-2000))
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

const middle = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

mkdirSync(values.folder, { recursive: true })
const folder = mkdtempSync(join(values.folder, 'softprompt-load-'))
try {
  const bytes = writeModel(folder, Number(values.gigabytes) * 1e9)
  for (const dtype of ['float32', 'bfloat16']) {
    const kept = dtype === 'float32' ? bytes : bytes / 2
    const rounds = Array.from({ length: Number(values.rounds) }, () => ({
      ours: measured(process.execPath, ['--input-type=module', '-e', ours(folder, dtype)]),
      theirs: values['peer-python'] && measured(values['peer-python'], ['-c', theirs(folder, dtype)]),
    }))
    const line = (who) => {
      const all = rounds.map((round) => round[who])
      const seconds = (what) => middle(all.map((one) => one[what])).toFixed(2)
      return `${who.padEnd(6)} ${seconds('seconds')} s (loading ${seconds('load')}), peak ${(middle(all.map((a) => a.bytes)) / kept).toFixed(2)} x the model`
    }
    console.log(`${dtype} from a float32 file of ${(bytes / 1e9).toFixed(2)} GB\n  ${line('ours')}`)
    if (!values['peer-python']) continue
    const ratios = rounds.map((round) => round.theirs.seconds / round.ours.seconds)
    console.log(`  ${line('theirs')}\n  to the first token, theirs / ours, a pair: ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}`)
  }
} finally {
  rmSync(folder, { recursive: true })
}
