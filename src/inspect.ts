import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type CallSite, captureCall } from './errors.js'
import { locateModel } from './hub/cache.js'
import { finish } from './job.js'
import { loadNative } from './libtorch/load.js'
import type { Native, NativeFileInfo, NativeWeightsInfo } from './native.js'
import { text } from './options/check.js'
import { SoftPrompt } from './prompt.js'

/** What is in a file or folder, found without loading its tensors. */
export interface Inspection extends NativeFileInfo {
  /** Numbers in all tensors. */
  parameters: number
  /** For a model: bytes that its numbers take once they are loaded as each dtype. */
  memory?: ModelMemory
  /** For a prompt: L2 norms of its rows. */
  rowNorms?: {
    /** Over all rows. */
    mean: number
    /** Of the smallest row. */
    min: number
    /** Of the largest row. */
    max: number
  }
  /** For a prompt: whose form it has. */
  format?: 'softprompt' | 'npy' | 'peft'
  /** For a prompt of PEFT: its last rows, which do not act on a T5. Not in `rowNorms`. */
  unusedRows?: number
}

/**
 * What is in a prompt (ours, Google's .npy, PEFT's folder), a checkpoint, a model's folder (or hub id in the local cache), a safetensors file or a .pt, without
 * loading a model.
 *
 * Rejects with FILE_NOT_FOUND, or what a file that is damaged makes its reader say (`SAFETENSORS_*`, PROMPT_FILE_INVALID, `MODEL_*`, TORCHSCRIPT_INVALID).
 *
 * @example
 * const { kind, memory } = await inspectFile('models/nano-t5')
 */
export async function inspectFile(path: string): Promise<Inspection> {
  const site = captureCall(inspectFile)
  const native = await loadNative()
  const place = existsSync(text(path, 'path')) ? path : await locateModel(path).catch(() => path)
  return inspectPlace(native, site, place)
}

async function inspectPlace(native: Native, site: CallSite, path: string): Promise<Inspection> {
  if (existsSync(join(path, PEFT_CONFIG))) return inspectPeft(path)
  const info = await finish({ site }, () => native.inspect(path))
  if (info.tensors.some(({ name }) => name === PEFT_TENSOR) && existsSync(join(dirname(path), PEFT_CONFIG)))
    return inspectPeft(dirname(path))
  const parameters = info.tensors.reduce((sum, { shape }) => sum + numbersOf(shape), 0)
  if (info.kind === 'prompt') return { ...info, parameters, format: await formatOf(path), rowNorms: rowNorms(await SoftPrompt.load(path)) }
  if (info.weights) return { ...info, parameters, memory: memoryOf(info, info.weights) }
  return { ...info, parameters, ...(info.kind === 'safetensors' && { memory: { float32: 4 * parameters, bfloat16: 2 * parameters } }) }
}

/** `int8` where the rest of the model is held in bfloat16. */
export interface ModelMemory {
  /** Held in float32. */
  float32: number
  /** Held in bfloat16. */
  bfloat16: number
  /** Held in 8-bit numbers as far as `dtype: 'int8'` goes; left out for a model that has no such form. */
  int8?: number
}

function memoryOf({ tensors }: NativeFileInfo, { bytesAsFloat32, bytesAsBfloat16 }: NativeWeightsInfo): ModelMemory {
  const matrices = tensors.filter(({ name, shape }) => /^(decoder\.block\.|lm_head\.)/.test(name) && shape.length === 2)
  const inInt8 = matrices.filter(({ name }) => !name.includes('relative_attention_bias'))
  const embedding = tensors.find(({ name }) => name === 'shared.weight')
  const hasHead = inInt8.some(({ name }) => name === 'lm_head.weight')
  const copies = hasHead || !embedding ? 0 : int8Bytes(embedding.shape)
  const less = inInt8.reduce((sum, { shape }) => sum + 2 * numbersOf(shape) - int8Bytes(shape), 0)
  return { float32: bytesAsFloat32, bfloat16: bytesAsBfloat16, int8: bytesAsBfloat16 - less + copies }
}

const numbersOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1)

/** A matrix in int8: rows in panels of sixteen, each with a scale and a sum of 4 bytes, and numbers four by four. */
const int8Bytes = ([rows = 0, depth = 0]: number[]) => 16 * Math.ceil(rows / 16) * (4 * Math.ceil(depth / 4) + 8)

const PEFT_CONFIG = 'adapter_config.json'
const PEFT_TENSOR = 'prompt_embeddings'

async function formatOf(path: string): Promise<'softprompt' | 'npy'> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0)
    return buffer.toString('latin1') === '\x93NUMPY' ? 'npy' : 'softprompt'
  } finally {
    await file.close()
  }
}

/** A folder of the PEFT library. */
async function inspectPeft(path: string): Promise<Inspection> {
  const prompt = await SoftPrompt.load(path)
  const { rows, dModel, metadata } = prompt
  const unused = Number(metadata['peft.unusedRows'] ?? 0)
  const tensors = [{ name: PEFT_TENSOR, dtype: 'F32', shape: [rows + unused, dModel] }]
  const counts = { parameters: (rows + unused) * dModel, ...(unused > 0 && { unusedRows: unused }) }
  return { kind: 'prompt', format: 'peft', tensors, metadata, ...counts, rowNorms: rowNorms(prompt) }
}

function rowNorms({ data, rows, dModel }: SoftPrompt) {
  const norms = Array.from({ length: rows }, (_, row) => Math.hypot(...data.subarray(row * dModel, (row + 1) * dModel)))
  return { mean: norms.reduce((a, b) => a + b, 0) / rows, min: Math.min(...norms), max: Math.max(...norms) }
}
