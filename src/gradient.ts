import { DataError, OptionError } from './errors.js'
import { type Frozen, requireGradients } from './frozen.js'
import { type Call, finish } from './job.js'
import { checkOptions, invalidOption, isObject, show, signal } from './options/check.js'
import { checkLoss, type LossOptions } from './options/loss.js'
import { checkPromptFor, promptOption, type SoftPrompt } from './prompt.js'
import { toInputIds, tokenRows, toTargetIds } from './rows.js'

/** What `T5.gradient` differentiates. */
export interface GradientOptions {
  /** The prompt in front of every input, and what the gradient is in. */
  prompt: SoftPrompt
  /** The loss that is differentiated. @defaultValue the sum over the target tokens, as it is */
  loss?: LossOptions
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
}

/** What `T5.gradient` gives. */
export interface Gradient {
  /** With the reduction and z-loss of the options, over all examples as one batch. */
  loss: number
  /** d loss / d prompt, rows x dModel, row-major. */
  gradient: Float32Array
}

/** The loss of examples behind a prompt and its gradient; see `T5.gradient`. */
export async function gradient(model: Frozen, call: Call, examples: unknown, options: unknown): Promise<Gradient> {
  requireGradients(model, 'gradient')
  const checked = checkOptions('gradient', options, { prompt: promptOption, loss: checkLoss, signal })
  if (!checked.prompt) throw invalidOption('prompt', checked.prompt, 'a SoftPrompt')
  const prompt = checkPromptFor(model, checked.prompt, 'gradient')
  const list: unknown[] = Array.isArray(examples) ? examples : [examples]
  if (list.length === 0) throw new DataError('DATA_EMPTY', 'gradient: there are no examples. Give at least one.')
  const inputs = list.map((row, i) => toInputIds(model, field(row, 'input', i), `Row ${i}'s input`))
  const targets = list.map((row, i) => toTargetIds(model, field(row, 'target', i), `Row ${i}'s target`))
  const loss = checkLoss(checked.loss ?? {}, 'loss')
  return finish({ ...call, signal: checked.signal }, () => model.native.gradient(tokenRows(inputs), tokenRows(targets), prompt, loss))
}

function field(row: unknown, name: 'input' | 'target', i: number): unknown {
  if (!isObject(row)) throw new OptionError('OPTION_INVALID', `Row ${i} is ${show(row)}, but must be { input, target }.`)
  return row[name]
}
