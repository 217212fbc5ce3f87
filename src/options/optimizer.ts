import type { NativeOptimizer } from '../native.js'
import { checkOptions, integer, invalidOption, isObject, number, oneOf } from './check.js'

/** How the rate falls after the warm-up: not at all; linearly, or by half a cosine, to 0 at the last step; or as 1 / sqrt(step). */
export type Schedule = 'constant' | 'linear' | 'cosine' | 'inverseSqrt'

interface AnyOptimizer {
  /** How far a step goes (times what the rule makes of the gradient). @defaultValue 0.3 */
  learningRate?: number
  /** How the rate falls after the warm-up. @defaultValue 'constant' */
  schedule?: Schedule
  /** Steps in which the rate rises from 0. @defaultValue 0 */
  warmupSteps?: number
  /** A gradient whose L2 norm (over the whole prompt, or all weights) is larger is scaled down to it, before the update rule sees it; 0 for no limit. @defaultValue 0 */
  maxGradientNorm?: number
  /**
   * What is evaluated and handed out is a moving average of the steps' prompts (or weights), A = averageDecay * A + (1 - averageDecay) * P, with less of the past
   * in the first steps (Polyak and Juditsky 1992); 0 for the last step's own. Training goes on from P. @defaultValue 0
   */
  averageDecay?: number
}

/** Adafactor as T5X has it: no first moment, no parameter scaling. Lester et al. 2021 tune with it. */
export interface AdafactorOptions extends AnyOptimizer {
  /** Which rule it is. */
  name: 'adafactor'
  /** P *= 1 - weightDecay a step, not times the rate (the paper's is 1e-5). @defaultValue 0 */
  weightDecay?: number
  /** An update's root mean square is cut to it. @defaultValue 1 */
  clipThreshold?: number
  /** beta2(t) = 1 - (t + 1)^-decayRate. @defaultValue 0.8 */
  decayRate?: number
  /** Where t starts; the paper goes on with the pre-training's 1,100,000. @defaultValue 0 */
  initialStep?: number
  /** The second moment is factored where both dimensions are at least so large. @defaultValue 128 */
  minDimSizeToFactor?: number
  /** What the second moment is raised by. @defaultValue 1e-30 */
  epsilon?: number
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export interface AdamWOptions extends AnyOptimizer {
  /** Which rule it is. */
  name: 'adamw'
  /** P *= 1 - rate * weightDecay a step. @defaultValue 0 */
  weightDecay?: number
  /** How much of the first moment stays from step to step. @defaultValue 0.9 */
  beta1?: number
  /** Likewise of the second moment. @defaultValue 0.999 */
  beta2?: number
  /** What is added to the second moment's root. @defaultValue 1e-8 */
  epsilon?: number
}

/**
 * Muon (Jordan et al. 2024): momentum whose singular values are brought near 1 by five Newton-Schulz iterations, so that every direction of the prompt learns at
 * the same pace. An update's root mean square is the rate, whatever the gradient's size.
 */
export interface MuonOptions extends AnyOptimizer {
  /** Which rule it is. */
  name: 'muon'
  /** P *= 1 - rate * weightDecay a step. @defaultValue 0 */
  weightDecay?: number
  /** How much of the last steps' gradients stays in the next one's (Nesterov's form). @defaultValue 0.9 */
  momentum?: number
}

/** An update rule for a prompt. */
export type OptimizerOptions = AdafactorOptions | AdamWOptions | MuonOptions

/** Each update rule with nothing added to it; what an explicit optimizer leaves out takes these values, whatever the preset says. */
const PLAIN: NativeOptimizer = {
  name: 'adafactor',
  learningRate: 0.3,
  weightDecay: 0,
  schedule: 'constant',
  warmupSteps: 0,
  clipThreshold: 1,
  decayRate: 0.8,
  initialStep: 0,
  minDimSizeToFactor: 128,
  epsilon: 1e-30,
  beta1: 0.9,
  beta2: 0.999,
  momentum: 0.9,
  maxGradientNorm: 0,
  averageDecay: 0,
}

export const PLAIN_ADAFACTOR: Readonly<NativeOptimizer> = PLAIN
export const PLAIN_ADAMW: Readonly<NativeOptimizer> = { ...PLAIN, name: 'adamw', epsilon: 1e-8 }
export const PLAIN_MUON: Readonly<NativeOptimizer> = { ...PLAIN, name: 'muon' }

const COMMON = {
  name: oneOf('adafactor', 'adamw', 'muon'),
  learningRate: number({ above: 0 }),
  weightDecay: number({ min: 0, below: 1 }),
  schedule: oneOf('constant', 'linear', 'cosine', 'inverseSqrt'),
  warmupSteps: integer(0),
  maxGradientNorm: number({ min: 0 }),
  averageDecay: number({ min: 0, below: 1 }),
}

export const ADAFACTOR = {
  ...COMMON,
  epsilon: number({ min: 0 }),
  clipThreshold: number({ above: 0 }),
  decayRate: number({ above: 0 }),
  initialStep: integer(0),
  minDimSizeToFactor: integer(1),
}

export const ADAMW = { ...COMMON, epsilon: number({ min: 0 }), beta1: number({ min: 0, below: 1 }), beta2: number({ min: 0, below: 1 }) }

const MUON = { ...COMMON, momentum: number({ min: 0, below: 1 }) }

/** An optimizer that is given, with its own defaults: nothing of a preset's is left in it. */
export function checkOptimizer(value: unknown, name: string): NativeOptimizer {
  if (!isObject(value)) throw invalidOption(name, value, "an object such as { name: 'adafactor', learningRate: 0.3 }")
  switch (COMMON.name(value.name, `${name}.name`)) {
    case 'adamw':
      return { ...PLAIN_ADAMW, ...checkOptions('adamw', value, ADAMW, `${name}.`) }
    case 'muon':
      return { ...PLAIN_MUON, ...checkOptions('muon', value, MUON, `${name}.`) }
    default:
      return { ...PLAIN_ADAFACTOR, ...checkOptions('adafactor', value, ADAFACTOR, `${name}.`) }
  }
}
