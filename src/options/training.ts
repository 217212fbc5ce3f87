import { OptionError } from '../errors.js'
import type { NativeLoss } from '../native.js'
import { boolean, type Checked, integer, number, oneOf, seed, signal } from './check.js'
import { type CheckpointOptions, checkpointChoice } from './checkpoint.js'
import { checkLoss, type LossOptions } from './loss.js'
import { checkModelOptimizer, type ModelOptimizer, type ModelOptimizerOptions } from './model-optimizer.js'
import type { OnDivergence } from './tune.js'

/** What training all parameters takes, whatever it learns from. The model that the call is on stays as it is: a copy of it learns. */
export interface TrainingOptions {
  /** Update steps in all. @defaultValue 1000 */
  steps?: number
  /** Examples a step. @defaultValue 32 */
  batchSize?: number
  /** Rows in one pass through the model: a batch goes through in parts, whose gradients are added up. @defaultValue all at once */
  microBatchSize?: number
  /** A new order of the examples for each pass over them, by the seed. @defaultValue true */
  shuffle?: boolean
  /** Replaces the update rule whole. */
  optimizer?: ModelOptimizerOptions
  /** The default rule at another rate. Not beside `optimizer`, which has a rate of its own. */
  learningRate?: number
  /** Replaces the loss whole. @defaultValue { reduction: 'mean', zLoss: 1e-4 } */
  loss?: LossOptions
  /** In the copy while it trains. @defaultValue 0 for `adapt`, 0.1 for `finetune` */
  dropout?: number
  /** What the copy computes in; its weights are kept and updated in float32. @defaultValue as the model */
  dtype?: 'float32' | 'bfloat16'
  /** Steps between evaluations. @defaultValue a tenth of the steps, at most 1000 */
  evaluateEvery?: number
  /** Stop after so many evaluations in a row without a better one. */
  patience?: number
  /** Seconds after which the training stops, evaluates once more, and gives its result; `report.stopped` is then 'timeLimit'. */
  timeLimit?: number
  /**
   * When a loss or gradient is not finite: reject with TUNE_DIVERGED ('fail'), end with the best weights so far ('stop'), or go back to them, with a fresh
   * optimizer, at a tenth of the rate, up to three times ('lowerRate'). The last two also act where the loss keeps rising. @defaultValue 'fail'
   */
  onDivergence?: OnDivergence
  /** A file to which the whole state is written every `every` steps (at least: at the end), and from which `resume` goes on. */
  checkpoint?: CheckpointOptions
  /** Go on from the checkpoint, where its file exists; the result is then that of a run that was never interrupted. @defaultValue false */
  resume?: boolean
  /** Same seed, machine and number of threads: same weights, bit for bit. @defaultValue 0 */
  seed?: number
  /** Ends the run: its `result` rejects with the reason, whose `partial` has what was learned until then. */
  signal?: AbortSignal
}

export interface ResolvedTraining {
  steps: number
  batchSize: number
  /** 0: all. */
  microBatchSize: number
  shuffle: boolean
  optimizer: ModelOptimizer
  loss: NativeLoss
  dropout: number
  dtype: 'float32' | 'bfloat16' | undefined
  evaluateEvery: number
  patience: number | undefined
  timeLimit: number | undefined
  onDivergence: OnDivergence
  checkpoint: { path: string; every: number } | undefined
  resume: boolean
  seed: number
  signal: AbortSignal | undefined
}

export const TRAINING_CHECKS = {
  steps: integer(1),
  batchSize: integer(1),
  microBatchSize: integer(1),
  shuffle: boolean,
  optimizer: checkModelOptimizer,
  learningRate: number({ above: 0 }),
  loss: checkLoss,
  dropout: number({ min: 0, below: 1 }),
  dtype: oneOf('float32', 'bfloat16'),
  evaluateEvery: integer(1),
  patience: integer(1),
  timeLimit: number({ above: 0 }),
  onDivergence: oneOf('fail', 'stop', 'lowerRate'),
  checkpoint: checkpointChoice,
  resume: boolean,
  seed,
  signal,
}

/** What is done where an option is left out. */
export interface TrainingDefaults {
  optimizer: Readonly<ModelOptimizer>
  dropout: number
}

/** `measured`: whether there is anything to evaluate on. */
export function resolveTraining(options: Checked<typeof TRAINING_CHECKS>, defaults: TrainingDefaults, measured: boolean): ResolvedTraining {
  const { steps = 1000, checkpoint } = options
  if (options.patience !== undefined && !measured) throw wrong("Option 'patience' needs validation data.")
  if (options.optimizer && options.learningRate !== undefined)
    throw wrong("Options 'optimizer' and 'learningRate' were both given. Put the rate into 'optimizer'.")
  if (options.resume && !checkpoint) throw wrong("Option 'resume' needs 'checkpoint': { path } to go on from.")
  const optimizer = options.optimizer ?? {
    ...defaults.optimizer,
    learningRate: options.learningRate ?? defaults.optimizer.learningRate,
  }
  return {
    ...{ steps, batchSize: options.batchSize ?? 32, microBatchSize: options.microBatchSize ?? 0, shuffle: options.shuffle ?? true },
    ...{
      optimizer,
      loss: options.loss ?? { reduction: 'mean', zLoss: 1e-4, labelSmoothing: 0 },
      dropout: options.dropout ?? defaults.dropout,
    },
    ...{ dtype: options.dtype, evaluateEvery: options.evaluateEvery ?? Math.min(1000, Math.ceil(steps / 10)), patience: options.patience },
    ...{ timeLimit: options.timeLimit, onDivergence: options.onDivergence ?? 'fail', resume: options.resume ?? false },
    ...{ checkpoint: checkpoint && { every: steps, ...checkpoint }, seed: options.seed ?? 0, signal: options.signal },
  }
}

export function wrong(message: string): OptionError {
  return new OptionError('OPTION_INVALID', message)
}
