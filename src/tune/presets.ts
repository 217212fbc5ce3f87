import type { NativeLoss, NativeOptimizer } from '../native.js'
import { PLAIN_ADAFACTOR, PLAIN_MUON } from '../options/optimizer.js'

/** What a preset decides. Each of the three is replaced whole by an option of the same name. */
export interface Preset {
  optimizer: NativeOptimizer
  loss: NativeLoss
  /** In the frozen model while it trains, prompt rows included. */
  dropout: number
}

/** Settings that learn in hundreds of steps, or those of Lester et al. 2021 (docs/presets.md). */
export type PresetName = 'fast' | 'paper'

/**
 * Lester et al. 2021, section 3 and the released code's settings: Adafactor at a constant rate of 0.3 without parameter scaling, a decay of 1e-5 a step, the
 * second moment as if 1,100,000 steps of pre-training had gone before, the summed cross entropy with z-loss, dropout 0.1. The paper trains 30,000 steps of 32
 * examples and evaluates every 1,000.
 */
const PAPER: Preset = {
  optimizer: { ...PLAIN_ADAFACTOR, learningRate: 0.3, weightDecay: 1e-5, initialStep: 1_100_000 },
  loss: { reduction: 'sum', zLoss: 1e-4, labelSmoothing: 0 },
  dropout: 0.1,
}

/** The share of a run's steps in which the 'fast' preset's rate rises. */
export const FAST_WARMUP = 0.05

/**
 * For runs of hundreds of steps: Muon, whose updates move every direction of the prompt alike, at a rate that falls to zero along a cosine; the mean cross
 * entropy, no dropout. docs/presets.md has the comparison it was chosen by.
 */
const FAST: Preset = {
  optimizer: { ...PLAIN_MUON, learningRate: 0.2, momentum: 0.9, schedule: 'cosine' },
  loss: { reduction: 'mean', zLoss: 0, labelSmoothing: 0 },
  dropout: 0,
}

/** The preset's settings for a run of `steps` steps. */
export function preset(name: PresetName, steps: number): Preset {
  if (name === 'paper') return PAPER
  return { ...FAST, optimizer: { ...FAST.optimizer, warmupSteps: Math.round(steps * FAST_WARMUP) } }
}
