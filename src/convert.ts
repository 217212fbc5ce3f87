import { chmod, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { captureCall, ModelError } from './errors.js'
import { locateModel } from './hub/cache.js'
import { finish } from './job.js'
import { loadNative } from './libtorch/load.js'
import { tokenizerFolder } from './load.js'
import { checkOptions, oneOf, signal, text } from './options/check.js'
import { copyTokenizerFiles } from './tokenizer/copy.js'
import { checkWritable } from './writable.js'

/** How `convert` writes a model. */
export interface ConvertOptions {
  /** Of the weights in the file. @defaultValue 'auto': as the checkpoint has it */
  dtype?: 'auto' | 'float32' | 'bfloat16'
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
}

/**
 * Writes the model in a folder (or a hub id in the local cache) as one TorchScript file, which PyTorch can load too; the tokenizer's files go beside it, into
 * `<out without .pt>.tokenizer/`.
 *
 * Rejects with `MODEL_*`, `CONFIG_*`, `SAFETENSORS_*`, FILE_NOT_WRITABLE (before the work starts) or FILE_WRITE.
 *
 * @example
 * await convert('models/nano-t5', 'nano.pt', { dtype: 'bfloat16' })
 */
export async function convert(source: string, out: string, options?: ConvertOptions): Promise<void> {
  const site = captureCall(convert)
  const checked = checkOptions('convert', options, { dtype: oneOf('auto', 'float32', 'bfloat16'), signal })
  const folder = await locateModel(text(source, 'source'))
  if (!(await stat(folder)).isDirectory()) throw new ModelError('MODEL_UNSUPPORTED', `${folder} is a file: convert takes a model's folder.`)
  await checkWritable(text(out, 'out'), 'The model')
  const native = await loadNative()
  await finish({ site, signal: checked.signal }, () => native.convert(folder, out, checked.dtype ?? 'auto'))
  await copyTokenizer(folder, tokenizerFolder(out))
}

async function copyTokenizer(from: string, to: string): Promise<void> {
  const copy = await mkdtemp(`${to}.`)
  await chmod(copy, 0o755) // temporary folders are private, and this one stays
  const found = await copyTokenizerFiles(from, copy)
  await rm(to, { recursive: true, force: true })
  if (found) await rename(copy, to)
  else await rm(copy, { recursive: true })
}
