import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { FileError } from './errors.js'
import type { Loaded } from './frozen.js'
import { type Call, finish } from './job.js'
import { checkOptions, oneOf, signal, text } from './options/check.js'
import { sync, writeSynced } from './synced.js'
import { copyTokenizerFiles } from './tokenizer/copy.js'
import { checkWritable } from './writable.js'

/** How `T5.save` writes a model. */
export interface SaveOptions {
  /** Of the weights in the file. @defaultValue 'float32', in which nothing that was learned is lost */
  dtype?: 'float32' | 'bfloat16'
  /** Ends the call: it rejects with the reason. No file is left. */
  signal?: AbortSignal
}

/** What `save` writes, and what may be in a folder whose place it takes. */
const FILES =
  /^(config\.json|generation_config\.json|model\.safetensors|spiece\.model|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json)$/

/**
 * Writes a Hugging Face folder beside `folder`, then gives it that name: there is the whole of it, or what was there before. A folder that is there already is
 * replaced if it holds a model's files alone.
 */
export async function saveModel(model: Loaded, call: Call, folder: unknown, options: unknown): Promise<void> {
  const path = resolve(text(folder, 'folder'))
  const checked = checkOptions('save', options, { dtype: oneOf('float32', 'bfloat16'), signal })
  const dtype = checked.dtype ?? 'float32'
  await checkModelFolder(path)
  const beside = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`)
  try {
    await mkdir(beside)
    await finish({ ...call, signal: checked.signal }, () => model.native.saveWeights(join(beside, 'model.safetensors'), dtype))
    await writeSynced(join(beside, 'config.json'), configText(model, dtype), 'wx')
    if (model.tokenizerFolder !== null) await copyTokenizerFiles(model.tokenizerFolder, beside)
    await chmod(beside, 0o755)
    await replace(path, beside)
  } catch (cause) {
    await rm(beside, { recursive: true, force: true })
    throw (cause as NodeJS.ErrnoException).syscall === undefined
      ? cause
      : new FileError('FILE_WRITE', `The model could not be written to ${path}: ${(cause as Error).message}.`, { cause })
  }
}

/** Makes sure that a model's folder can be written, before work starts whose result belongs there. Rejects with FILE_NOT_WRITABLE. */
export async function checkModelFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found && !found.isDirectory()) throw notWritable(path, 'it is a file. Give the path of a folder')
  const foreign = found && (await readdir(path)).find((name) => !FILES.test(name))
  if (foreign)
    throw notWritable(path, `the folder holds ${foreign}, which is no file of a model that is saved. Name an empty or a new folder`)
  // What is renamed to the folder is written beside it.
  await checkWritable(join(dirname(resolve(path)), `.${basename(resolve(path))}.probe`), 'The model')
}

/** By model_type. */
const ARCHITECTURES: Record<string, string> = {
  ...{ t5: 'T5ForConditionalGeneration', mt5: 'MT5ForConditionalGeneration', umt5: 'UMT5ForConditionalGeneration' },
}

function configText({ config }: Loaded, dtype: string): string {
  const { torch_dtype: _, ...raw } = config.raw
  const fields = { architectures: [ARCHITECTURES[config.modelType] ?? ARCHITECTURES.t5], model_type: config.modelType, ...raw, dtype }
  // Transformers insists that these are written as floats, and JSON.stringify writes 1.0 as 1.
  const floats = /^( *"(?:initializer_factor|dropout_rate|classifier_dropout|layer_norm_epsilon)": -?\d+)(?=,?$)/gm
  return `${JSON.stringify(fields, null, 2).replace(floats, '$1.0')}\n`
}

async function replace(path: string, beside: string): Promise<void> {
  const old = `${beside}.old`
  const had = await rename(path, old).then(
    () => true,
    () => false,
  )
  await rename(beside, path)
  if (had) await rm(old, { recursive: true, force: true })
  await sync(dirname(path), 'r')
}

function notWritable(path: string, why: string): FileError {
  return new FileError('FILE_NOT_WRITABLE', `The model cannot be written to ${path}: ${why}.`)
}
