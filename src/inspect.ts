import { captureCall } from './errors.js'
import { finish } from './job.js'
import { loadNative } from './libtorch/load.js'
import type { NativeFileInfo } from './native.js'
import { text } from './options/check.js'
import { SoftPrompt } from './prompt.js'

export interface Inspection extends NativeFileInfo {
  /** Numbers in all tensors. */
  parameters: number
  /** For a prompt: L2 norms of its rows. */
  rowNorms?: { mean: number; min: number; max: number }
}

/** What is in a prompt, a checkpoint, a safetensors file or a .pt, without loading a model. */
export async function inspectFile(path: string): Promise<Inspection> {
  const site = captureCall(inspectFile)
  const native = await loadNative()
  const info = await finish({ site }, () => native.inspect(text(path, 'path')))
  const parameters = info.tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
  return { ...info, parameters, ...(info.kind === 'prompt' && { rowNorms: rowNorms(await SoftPrompt.load(path)) }) }
}

function rowNorms({ data, rows, dModel }: SoftPrompt) {
  const norms = Array.from({ length: rows }, (_, row) => Math.hypot(...data.subarray(row * dModel, (row + 1) * dModel)))
  return { mean: norms.reduce((a, b) => a + b, 0) / rows, min: Math.min(...norms), max: Math.max(...norms) }
}
