import { statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { t5Config } from './config.js'
import type { CallSite } from './errors.js'
import type { Loaded } from './frozen.js'
import { locateModel } from './hub/cache.js'
import { finish } from './job.js'
import { loadNative } from './libtorch/load.js'
import type { Dtype } from './native.js'
import { boolean, type Check, callback, checkOptions, integer, invalidOption, oneOf, signal, text } from './options/check.js'
import { loadTokenizer, type Tokenizer } from './tokenizer/index.js'

/** Where a model computes: 'cpu', a GPU, or what `doctor` finds best. */
export type Device = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

/** How `T5.load` loads a model. */
export interface LoadOptions {
  /** Where it computes. @defaultValue 'auto': a GPU if LibTorch can use one, else the processor */
  device?: Device
  /**
   * 'int8' is for inference on the processor: the decoder and the head in 8-bit numbers, the rest as with 'auto'. It cannot tune (docs/decoding.md).
   * @defaultValue 'auto': bfloat16 where the processor or GPU multiplies it natively, else float32
   */
  dtype?: 'auto' | Dtype
  /** Threads of the model's computations on the processor. @defaultValue one a physical core */
  threads?: number
  /** Run the code of a .pt file that this package did not write. @defaultValue false */
  trust?: boolean
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
  /** Called as the weights are read. */
  onProgress?: (progress: LoadProgress) => void
}

/** As transformers.js tells it. `progress` is in percent. */
export type LoadProgress =
  | {
      /** Begun; the weights are read; the model can be used. */
      status: 'initiate' | 'done' | 'ready'
      /** The last part of what was given to `T5.load`. */
      name: string
    }
  | {
      /** The weights are being read. */
      status: 'progress'
      /** The last part of what was given to `T5.load`. */
      name: string
      /** From 0 to 100. */
      progress: number
    }

const CHECKS = {
  device: deviceName,
  dtype: oneOf('auto', 'float32', 'bfloat16', 'int8'),
  threads: integer(1, 1024),
  trust: boolean,
  signal,
  onProgress: callback as Check<(progress: LoadProgress) => void>,
}

/** A folder or .pt on disk to a frozen model; see `T5.load`. */
export async function loadFrozen(source: unknown, options: unknown, site: CallSite): Promise<Loaded> {
  const checked = checkOptions('T5.load', options, CHECKS)
  const path = await locateModel(text(source, 'source'))
  checked.signal?.throwIfAborted()
  const { tokenizer, folder } = await tokenizerOf(path)
  const native = await loadNative()
  const name = basename(resolve(source as string))
  const tell = checked.onProgress ?? (() => {})
  tell({ status: 'initiate', name })
  const wanted = {
    path,
    device: checked.device ?? 'auto',
    dtype: checked.dtype ?? 'auto',
    threads: checked.threads ?? 0,
    trust: checked.trust ?? false,
  }
  const onProgress = (fraction: number) => tell({ status: 'progress', name, progress: 100 * fraction })
  const model = await finish({ site, signal: checked.signal }, () => native.loadModel(wanted, onProgress))
  tell({ status: 'done', name })
  const config = t5Config(model.info.configJson)
  const { fingerprint } = model.info
  tell({ status: 'ready', name })
  const { libtorch } = native.versions()
  const kept = { path, tokenizerFolder: tokenizer && folder, isNew: false }
  return { native: model, tokenizer, config, dModel: config.dModel, fingerprint, libtorch, name, ...kept }
}

/** The tokenizer of a folder; of a .pt, from the folder that `convert` wrote beside it, else from the folder that it is in. */
async function tokenizerOf(path: string): Promise<{ tokenizer: Tokenizer | null; folder: string }> {
  const folders = statSync(path).isDirectory() ? [path] : [tokenizerFolder(path), dirname(path)]
  for (const folder of folders) {
    const tokenizer = await loadTokenizer(folder)
    if (tokenizer) return { tokenizer, folder }
  }
  return { tokenizer: null, folder: folders[0] as string }
}

/** Where the tokenizer of `model.pt` is kept: `model.tokenizer/`. */
export function tokenizerFolder(ptPath: string): string {
  return `${ptPath.replace(/\.pt$/, '')}.tokenizer`
}

export function deviceName(value: unknown, name: string): Device {
  if (typeof value !== 'string' || !/^(auto|cpu|cuda|cuda:\d+)$/.test(value))
    throw invalidOption(name, value, "'auto', 'cpu', 'cuda' or 'cuda:N'")
  return value as Device
}
