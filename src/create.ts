import { readFile, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { t5Config } from './config.js'
import { type CallSite, ConfigError, FileError } from './errors.js'
import type { Loaded } from './frozen.js'
import { finish } from './job.js'
import { loadNative } from './libtorch/load.js'
import { type Device, deviceName } from './load.js'
import { checkOptions, integer, invalidOption, isObject, oneOf, seed, signal, text } from './options/check.js'
import { loadTokenizer } from './tokenizer/index.js'

/** How `T5.create` makes a model. */
export interface CreateOptions {
  /** A folder with the tokenizer's files: that of any model with the same vocabulary. Without one, the model takes token ids alone. */
  tokenizer?: string
  /** Of the weights. @defaultValue 0 */
  seed?: number
  /** What it computes in. @defaultValue 'float32' */
  dtype?: 'float32' | 'bfloat16'
  /** Where it computes. @defaultValue 'auto' */
  device?: Device
  /** Threads of its computations on the processor. @defaultValue one a physical core */
  threads?: number
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
}

/** The fields of a config.json, with Hugging Face's names and meanings. */
export interface NewConfig {
  /** Rows of the embedding: at least one more than the greatest token id. */
  vocab_size: number
  /** Width of the embeddings. */
  d_model: number
  /** Width of the feed-forward layers. */
  d_ff: number
  /** Blocks of the encoder. */
  num_layers: number
  /** Heads of each attention. */
  num_heads: number
  /** Width of a head. @defaultValue d_model / num_heads, which must be an integer */
  d_kv?: number
  /** Blocks of the decoder. @defaultValue num_layers */
  num_decoder_layers?: number
  /** 'relu', 'gated-gelu' or 'gated-silu'. @defaultValue 'gated-gelu' */
  feed_forward_proj?: string
  /** Whether the embedding is the head too. @defaultValue false */
  tie_word_embeddings?: boolean
  [field: string]: unknown
}

const CHECKS = {
  tokenizer: text,
  seed,
  dtype: oneOf('float32', 'bfloat16'),
  device: deviceName,
  threads: integer(1, 1024),
  signal,
}

/** What a new model has that its config does not say: T5 v1.1. */
const DEFAULTS = {
  ...{ architectures: ['T5ForConditionalGeneration'], model_type: 't5', feed_forward_proj: 'gated-gelu', tie_word_embeddings: false },
  ...{ pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0, dropout_rate: 0.1, layer_norm_epsilon: 1e-6 },
  ...{ relative_attention_num_buckets: 32, relative_attention_max_distance: 128, is_encoder_decoder: true },
}

/** A new model; see `T5.create`. */
export async function createModel(given: unknown, options: unknown, site: CallSite): Promise<Loaded> {
  const checked = checkOptions('T5.create', options, CHECKS)
  checked.signal?.throwIfAborted()
  const raw = complete(typeof given === 'string' ? await readConfig(given) : configObject(given))
  const folder = checked.tokenizer
  const tokenizer = folder === undefined ? null : await loadTokenizer(folder)
  if (folder !== undefined && !tokenizer)
    throw invalidOption('tokenizer', folder, 'a folder with spiece.model, tokenizer.json or the tokenizer_config.json of ByT5')
  if (tokenizer && tokenizer.vocabSize > (raw.vocab_size as number))
    throw new ConfigError(
      'CONFIG_INVALID',
      `The config's vocab_size is ${raw.vocab_size}, but the tokenizer in ${folder} has ${tokenizer.vocabSize} ids. Set vocab_size to at least that.`,
    )
  const native = await loadNative()
  const { dtype = 'float32', device = 'auto', threads = 0 } = checked
  const wanted = { configJson: JSON.stringify(raw), seed: checked.seed ?? 0, dtype, device, threads }
  const model = await finish({ site, signal: checked.signal }, () => native.createModel(wanted))
  const config = t5Config(model.info.configJson)
  return {
    ...{ native: model, tokenizer, config, dModel: config.dModel, fingerprint: model.info.fingerprint },
    ...{ libtorch: native.versions().libtorch, name: typeof given === 'string' ? basename(resolve(given)) : 'new model' },
    ...{ path: '', tokenizerFolder: folder ?? null, isNew: true },
  }
}

/** The config.json at a path, or in a folder. */
async function readConfig(path: string): Promise<Record<string, unknown>> {
  const folder = (await stat(path).catch(() => undefined))?.isDirectory()
  const file = folder ? join(path, 'config.json') : path
  let content: string
  try {
    content = await readFile(file, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'FILE_NOT_FOUND' : 'FILE_READ'
    throw new FileError(code, `The config ${file} could not be read: ${(cause as Error).message}.`, { cause })
  }
  try {
    const config: unknown = JSON.parse(content)
    if (isObject(config)) return config
    throw new Error('it is not an object')
  } catch (cause) {
    throw new ConfigError('CONFIG_INVALID', `${file} is not the JSON of a config: ${(cause as Error).message}.`, { cause })
  }
}

function configObject(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value
  throw invalidOption('config', value, "an object with a config.json's fields (d_model, num_layers ...), or the path of one")
}

function complete(given: Record<string, unknown>): Record<string, unknown> {
  const config: Record<string, unknown> = { ...DEFAULTS, ...given }
  if (config.d_kv !== undefined) return config
  const { d_model: width, num_heads: heads } = config as Partial<NewConfig>
  if (typeof width !== 'number' || typeof heads !== 'number') return config
  if (Number.isInteger(width / heads)) return { ...config, d_kv: width / heads }
  throw new ConfigError(
    'CONFIG_INVALID',
    `The config has no d_kv, and its d_model ${width} cannot be divided among ${heads} heads. Change one of them, or set d_kv.`,
  )
}
