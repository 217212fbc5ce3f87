import { captureCall, OptionError, PromptError } from './errors.js'
import type { ExplainOptions, Explanation } from './explain.js'
import { finish } from './job.js'
import { loadNative } from './libtorch/load.js'
import type { NativePromptRows } from './native.js'
import { checkOptions, integer, invalidOption, isObject, oneOf, show, signal, text } from './options/check.js'

/** 'peft' is a folder, as Hugging Face's PEFT library loads it. */
export type PromptFormat = 'safetensors' | 'npy' | 'peft'

/** A prompt's shape, and what is known of it. */
export interface PromptShape {
  /** Rows, each as one token of input. */
  rows: number
  /** Numbers of a row: the width of the model (`config.dModel`). */
  dModel: number
  /** Kept with the prompt in its file: strings by name. `fingerprint` names the base model; without one only the width is checked. */
  metadata?: Record<string, string>
}

/**
 * A learned prompt: `rows` x `dModel` float32 numbers that go in front of the embedded input, and what is known about them. It belongs to no loaded model
 * and can be used with any number of them, as long as they are the model that it was tuned on.
 */
export class SoftPrompt {
  /** Rows, each as one token of input: 100 by default. */
  readonly rows: number
  /** Numbers of a row: the width of the model that it was tuned on. */
  readonly dModel: number
  /** Row-major, `rows` x `dModel`. */
  readonly data: Float32Array
  /** What is known of it, and kept in its file: fingerprint and name of the model, task, labels, settings of the run. */
  readonly metadata: Readonly<Record<string, string>>

  private constructor(data: Float32Array, shape: PromptShape) {
    this.rows = shape.rows
    this.dModel = shape.dModel
    this.data = data
    this.metadata = Object.freeze({ ...shape.metadata })
  }

  /**
   * Reads a prompt: our file (safetensors), Google's `.npy` (float32 [rows, dModel]), or a folder of Hugging Face's PEFT library; told apart by content. Of PEFT's
   * rows those that act on T5's encoder are taken; how many are left out stands in `metadata['peft.unusedRows']`.
   *
   * Rejects with PROMPT_FILE_NOT_FOUND, PROMPT_FILE_INVALID or PROMPT_NOT_FINITE.
   */
  static async load(path: string, options?: { signal?: AbortSignal }): Promise<SoftPrompt> {
    const site = captureCall(SoftPrompt.load)
    text(path, 'path')
    const checked = checkOptions('SoftPrompt.load', options, { signal })
    checked.signal?.throwIfAborted()
    const native = await loadNative()
    const { data, metadata, rows, dModel } = await finish({ site, signal: checked.signal }, () => native.loadPrompt(path))
    checkFinite(data, dModel, `The prompt file ${path}`)
    return new SoftPrompt(data, { rows, dModel, metadata })
  }

  /** Makes a prompt from numbers of your own, row-major; they are copied. Throws OPTION_INVALID or PROMPT_NOT_FINITE. */
  static fromArray(data: Float32Array, shape: PromptShape): SoftPrompt {
    const checked = checkOptions('SoftPrompt.fromArray', shape, { rows: integer(1), dModel: integer(1), metadata: stringRecord })
    if (checked.rows === undefined) throw invalidOption('rows', undefined, 'the number of prompt rows')
    if (checked.dModel === undefined) throw invalidOption('dModel', undefined, "the model's width")
    if (!(data instanceof Float32Array)) throw invalidOption('data', data, 'a Float32Array')
    if (data.length !== checked.rows * checked.dModel) {
      const expected = `rows x dModel = ${checked.rows} x ${checked.dModel} = ${checked.rows * checked.dModel} numbers long`
      throw new OptionError('OPTION_INVALID', `Option 'data' has ${data.length} numbers, but must be ${expected}.`)
    }
    checkFinite(data, checked.dModel, 'The prompt')
    return new SoftPrompt(data.slice(), { rows: checked.rows, dModel: checked.dModel, metadata: checked.metadata })
  }

  /**
   * Several prompts that answer together, wherever a prompt may stand: by vote, or by the mean of their log-probabilities. Each result then has `ensemble`: each
   * prompt's own answer, and how far they agree.
   *
   * @example
   * const prompt = SoftPrompt.ensemble(runs.map((run) => run.prompt))
   * const { text, ensemble } = await t5.generate('play some jazz', { prompt })
   * if (ensemble && ensemble.agreement < 0.6) askAPerson()
   */
  static ensemble(prompts: readonly SoftPrompt[], options?: EnsembleOptions): PromptEnsemble {
    return PromptEnsemble.of(prompts, options)
  }

  /** The mean of several prompts, number by number. Throws OPTION_INVALID unless all have the same shape. */
  static mean(prompts: readonly SoftPrompt[]): SoftPrompt {
    const [first, ...others] = prompts
    if (!first) throw invalidOption('prompts', prompts, 'at least one SoftPrompt')
    const odd = others.find(({ rows, dModel }) => rows !== first.rows || dModel !== first.dModel)
    if (odd) {
      const shapes = `${first.rows} x ${first.dModel} and ${odd.rows} x ${odd.dModel}`
      throw new OptionError('OPTION_INVALID', `A mean of prompts needs prompts of one shape, but these are ${shapes}.`)
    }
    const data = first.data.map((_, i) => prompts.reduce((sum, prompt) => sum + (prompt.data[i] as number), 0) / prompts.length)
    const { fingerprint, model } = first.metadata
    const metadata = { ...(fingerprint !== undefined && { fingerprint }), ...(model !== undefined && { model }) }
    return new SoftPrompt(data, { rows: first.rows, dModel: first.dModel, metadata })
  }

  /**
   * Writes the prompt to `path`: beside it first, then renamed. A path that ends in `.npy` is written as `.npy` (which has no room for metadata) unless
   * `format` says otherwise. With `format: 'peft'` the path is that of a folder, which is made if need be and gets `adapter_config.json` and
   * `adapter_model.safetensors`; `PeftModel.from_pretrained` loads it.
   *
   * Rejects with FILE_WRITE.
   */
  async save(path: string, options?: { format?: PromptFormat; signal?: AbortSignal }): Promise<void> {
    const site = captureCall(this.save)
    text(path, 'path')
    const checked = checkOptions('SoftPrompt.save', options, { format: oneOf('safetensors', 'npy', 'peft'), signal })
    checked.signal?.throwIfAborted()
    checkFinite(this.data, this.dModel, 'The prompt')
    const native = await loadNative()
    const format = checked.format ?? (path.endsWith('.npy') ? 'npy' : 'safetensors')
    const file = { data: this.data, rows: this.rows, dModel: this.dModel, metadata: { ...this.metadata } }
    await finish({ site, signal: checked.signal }, () => native.savePrompt(file, path, format))
  }

  /** What the rows resemble in a model's vocabulary, how far they moved, and what each does; the same as `t5.explain(prompt, options)`. */
  explain(
    t5: { explain(prompt: SoftPrompt, options?: ExplainOptions): Promise<Explanation> },
    options?: ExplainOptions,
  ): Promise<Explanation> {
    return t5.explain(this, options)
  }
}

/** How an ensemble answers. */
export interface EnsembleOptions {
  /**
   * 'vote': the answer that most prompts give. 'average': by the mean of the prompts' log-probabilities; `generate` then looks at the answers that the prompts give.
   * @defaultValue 'vote' for generate, 'average' for classify and score
   */
  combine?: 'vote' | 'average'
}

/**
 * Several prompts for one task that answer together (Lester et al. 2021, section 6): each row goes through the model once for each prompt, in the same batches.
 * Usable wherever a prompt is, but for `gradient` and `explain`, which are about one; `stream` yields when all have their outputs. Made by `SoftPrompt.ensemble`.
 */
export class PromptEnsemble {
  private constructor(
    /** Its prompts, in the order given. */
    readonly prompts: readonly SoftPrompt[],
    /** How they answer together; undefined: as the call's default says. */
    readonly combine: 'vote' | 'average' | undefined,
  ) {}

  /** Throws OPTION_INVALID. */
  static of(prompts: readonly SoftPrompt[], options?: EnsembleOptions): PromptEnsemble {
    const { combine } = checkOptions('SoftPrompt.ensemble', options, { combine: oneOf('vote', 'average') })
    return new PromptEnsemble([...promptList(prompts, 'prompts')], combine)
  }
}

const stringRecord = (value: unknown, name: string): Record<string, string> => {
  if (!isObject(value)) throw invalidOption(name, value, 'an object of strings')
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry !== 'string')
      throw invalidOption(`${name}.${key}`, entry, 'a string (a prompt file holds only strings: use JSON.stringify)')
  }
  return value as Record<string, string>
}

function checkFinite(data: Float32Array, dModel: number, what: string): void {
  const bad = data.findIndex((value) => !Number.isFinite(value))
  if (bad < 0) return
  const where = `row ${Math.floor(bad / dModel)}, column ${bad % dModel}`
  throw new PromptError(
    'PROMPT_NOT_FINITE',
    `${what} holds ${data[bad]} at ${where}. A prompt's numbers must be finite: tune it again, with a smaller learning rate.`,
  )
}

/** What a model checks before it uses a prompt. `where` begins the message ("Row 3"). */
export function checkPromptFor(
  model: { dModel: number; fingerprint: string; name: string },
  prompt: SoftPrompt,
  where: string,
): NativePromptRows {
  if (prompt.dModel !== model.dModel) {
    const widths = `is ${prompt.dModel} wide, but the model ${model.name} is ${model.dModel} wide`
    throw new PromptError(
      'PROMPT_WIDTH',
      `${where}: the prompt ${widths}. Use the model that it was tuned on, or tune a prompt on this one.`,
    )
  }
  const made = prompt.metadata.fingerprint
  if (made !== undefined && made !== model.fingerprint) {
    const on = prompt.metadata.model ? `${prompt.metadata.model} (${short(made)})` : `the model with fingerprint ${short(made)}`
    const here = `${model.name} (${short(model.fingerprint)})`
    throw new PromptError(
      'PROMPT_MODEL',
      `${where}: the prompt was tuned on ${on}, but this is ${here}. Load that model, or tune a prompt on this one.`,
    )
  }
  checkFinite(prompt.data, prompt.dModel, `${where}: the prompt`)
  return { data: prompt.data, rows: prompt.rows, dModel: prompt.dModel }
}

function short(fingerprint: string): string {
  return fingerprint.slice(0, 12)
}

/** An option that takes a prompt; null means none. */
export const promptOption = (value: unknown, name: string): SoftPrompt | null => {
  if (value !== null && !(value instanceof SoftPrompt)) {
    const hint = typeof value === 'string' ? ` (load the file first: await SoftPrompt.load(${show(value)}))` : ''
    throw invalidOption(name, value, `a SoftPrompt or null${hint}`)
  }
  return value
}

/** What may stand where a prompt is asked for. */
export type AnyPrompt = SoftPrompt | PromptEnsemble

/** An option that takes a prompt or an ensemble; null means none. */
export const anyPromptOption = (value: unknown, name: string): AnyPrompt | null =>
  value instanceof PromptEnsemble ? value : promptOption(value, name)

/** A list of prompts, at least one. */
export function promptList(value: unknown, name: string): SoftPrompt[] {
  const isList = Array.isArray(value) && value.length > 0 && value.every((entry) => entry instanceof SoftPrompt)
  if (!isList) throw invalidOption(name, value, 'an array of SoftPrompts with at least one entry')
  return value
}
