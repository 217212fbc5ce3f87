import type { NativeTrainerOptions } from '../native.js'
import { boolean, checkOptions, integer, invalidOption, isObject, oneOf, unsupportedOption } from './check.js'
import { ADAFACTOR, ADAMW, type AdafactorOptions, type AdamWOptions, PLAIN_ADAFACTOR, PLAIN_ADAMW, type Schedule } from './optimizer.js'

/** 't5': the full rate for `warmupSteps` steps, then rate * sqrt(warmupSteps / step): 1 / sqrt(max(step, 10000)) for a rate of 0.01 and 10,000 steps. */
export type ModelSchedule = Schedule | 't5'

/** Adafactor as T5 was trained with it. */
export interface ModelAdafactorOptions extends Omit<AdafactorOptions, 'schedule' | 'learningRate'> {
  /** How far a step goes (times what the rule makes of the gradient). @defaultValue 0.001 */
  learningRate?: number
  /** How the rate falls after the warm-up. @defaultValue 'constant' */
  schedule?: ModelSchedule
  /** The rate of each tensor is times the root mean square of its numbers (at least 0.001). @defaultValue true */
  parameterScaling?: boolean
}

/** AdamW over all parameters of a model. */
export interface ModelAdamWOptions extends Omit<AdamWOptions, 'schedule' | 'learningRate'> {
  /** How far a step goes (times what the rule makes of the gradient). @defaultValue 0.001 */
  learningRate?: number
  /** How the rate falls after the warm-up. @defaultValue 'constant' */
  schedule?: ModelSchedule
}

/** An update rule for all parameters of a model. */
export type ModelOptimizerOptions = ModelAdafactorOptions | ModelAdamWOptions

export type ModelOptimizer = Omit<NativeTrainerOptions['optimizer'], 'schedule'> & { schedule: ModelSchedule }

const MODEL = { parameterScaling: false, learningRate: 0.001 }
const MODEL_ADAFACTOR: Readonly<ModelOptimizer> = { ...PLAIN_ADAFACTOR, ...MODEL, parameterScaling: true }
const MODEL_ADAMW: Readonly<ModelOptimizer> = { ...PLAIN_ADAMW, ...MODEL }

/** Raffel et al. 2020, section 3.1.2: Adafactor at 0.01 for 10,000 steps, then falling with the step's inverse square root. */
export const T5_PRETRAINING: Readonly<ModelOptimizer> = { ...MODEL_ADAFACTOR, learningRate: 0.01, schedule: 't5', warmupSteps: 10_000 }

/** The same paper's constant rate for fine-tuning, which is also what the schedule above has come to after a million steps. */
export const T5_FINETUNING: Readonly<ModelOptimizer> = MODEL_ADAFACTOR

const name = oneOf('adafactor', 'adamw')
const schedule = oneOf('constant', 'linear', 'cosine', 'inverseSqrt', 't5')
const CHOICES = { name, schedule }

/** An optimizer that is given, with its own defaults. */
export function checkModelOptimizer(value: unknown, option: string): ModelOptimizer {
  if (!isObject(value)) throw invalidOption(option, value, "an object such as { name: 'adafactor', learningRate: 0.001 }")
  if (value.name === 'muon')
    throw unsupportedOption(`${option}.name`, "Muon is a rule for prompts. All parameters of a model learn by 'adafactor' or 'adamw'.")
  if (name(value.name, `${option}.name`) === 'adamw')
    return { ...MODEL_ADAMW, ...checkOptions('adamw', value, { ...ADAMW, ...CHOICES }, `${option}.`) }
  const checks = { ...ADAFACTOR, ...CHOICES, warmupSteps: integer(0), parameterScaling: boolean }
  return { ...MODEL_ADAFACTOR, ...checkOptions('adafactor', value, checks, `${option}.`) }
}

/** What crosses for an optimizer. T5's schedule is a factor that each step is given. */
export function nativeOptimizer(optimizer: ModelOptimizer): NativeTrainerOptions['optimizer'] {
  const { schedule } = optimizer
  return schedule === 't5' ? { ...optimizer, schedule: 'constant', warmupSteps: 0 } : { ...optimizer, schedule }
}

/** What the rate of a step, counted from 1, is multiplied by. */
export function rateFactor({ schedule, warmupSteps }: ModelOptimizer, step: number): number {
  return schedule === 't5' && step > warmupSteps ? Math.sqrt(Math.max(1, warmupSteps) / step) : 1
}
