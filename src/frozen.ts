import type { T5Config } from './config.js'
import { OptionError } from './errors.js'
import type { NativeModel } from './native.js'
import type { Tokenizer } from './tokenizer/tokenizer.js'

/** A loaded model as the parts of the API see it. */
export interface Frozen {
  native: NativeModel
  tokenizer: Tokenizer | null
  config: T5Config
  dModel: number
  fingerprint: string
  /** The version of the LibTorch under it. */
  libtorch: string
  /** What it was loaded as, for messages and a prompt's metadata: the folder's or file's name. */
  name: string
}

/** A model and where it came from. */
export interface Loaded extends Frozen {
  /** The folder or file that it was loaded from; empty for one that was made or trained here. */
  path: string
  /** The folder of its tokenizer's files; null where it has none. */
  tokenizerFolder: string | null
  /** Made by `T5.create`: it has learned nothing. */
  isNew: boolean
}

/** The dtype of a model that has gradients; refuses one in int8 before any work is done for `call`. */
export function requireGradients({ native, name }: Frozen, call: string): 'float32' | 'bfloat16' {
  const { dtype } = native.info
  if (dtype !== 'int8') return dtype
  const how = "Load it with dtype 'bfloat16' or 'float32' for that; prompts that are tuned so work in int8 too."
  throw new OptionError(
    'OPTION_UNSUPPORTED',
    `${call}: ${name} was loaded with dtype 'int8', which is for inference and has no gradients. ${how}`,
  )
}
