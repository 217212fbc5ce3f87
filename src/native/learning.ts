/** What crosses for training: of prompts, and of all weights. */
import type { NativeJob, NativePromptRows, TokenRows } from './values.js'

export interface NativeLoss {
  reduction: 'sum' | 'mean'
  zLoss: number
  labelSmoothing: number
}

export type NativeOptimizer = {
  name: 'adafactor' | 'adamw' | 'muon'
  learningRate: number
  weightDecay: number
  schedule: 'constant' | 'linear' | 'cosine' | 'inverseSqrt'
  warmupSteps: number
  clipThreshold: number
  decayRate: number
  initialStep: number
  minDimSizeToFactor: number
  epsilon: number
  beta1: number
  beta2: number
  momentum: number
  maxGradientNorm: number
  averageDecay: number
}

export type NativeInit =
  | { kind: 'vocabulary'; sampledFrom: number }
  | { kind: 'uniform'; low: number; high: number }
  | { kind: 'labels'; labels: TokenRows; sampledFrom: number }
  | { kind: 'text'; labels: TokenRows; sampledFrom: number }
  | { kind: 'prompt'; prompt: NativePromptRows; sampledFrom: number }

/** One of the prompts that learn at once. */
export interface NativeRun {
  length: number
  init: NativeInit
  /** Of the first prompt and the dropout masks. */
  seed: number
  /** In place of the optimizer's. */
  learningRate: number
}

export interface NativeTuneOptions {
  inputs: TokenRows
  targets: TokenRows
  /** The run that learns from each row; left out, every run learns from every row. */
  runOfRow?: Int32Array
  /** At least one. */
  runs: NativeRun[]
  /** Rows in front of every run's own, which learn from all. */
  shared?: NativeRun
  steps: number
  batchSize: number
  /** 0: as many rows at once as there is memory for. */
  microBatchSize: number
  shuffle: boolean
  dropout: number
  /** Of the batches. */
  seed: number
  loss: NativeLoss
  optimizer: NativeOptimizer
}

/** What a step of training tells of itself. */
export interface NativeTrainStep {
  step: number
  /** A target token's mean. */
  loss: number
  gradientNorm: number
  learningRate: number
  examples: number
  inputTokens: number
  targetTokens: number
  /** What is not finite, where the step was not taken; what learns is as it was. */
  diverged?: string
}

export interface NativeStep extends NativeTrainStep {
  /** Index of the run; without `examples`, the batch had none of its rows, and this was no step of it. */
  run: number
}

/** A run that takes part in steps; its rate is the schedule's times `rateFactor`. */
export interface NativeActiveRun {
  run: number
  rateFactor: number
}

/** What learns, and can be kept in a checkpoint. Lives on its model's compute thread. */
export interface NativeLearner {
  /** Until `release` no other run, of this process or another, may claim the path for its checkpoint (CHECKPOINT_LOCKED). */
  claim(path: string): NativeJob<void>
  release(): NativeJob<void>
  save(path: string, notes: string): NativeJob<void>
  /** Gives back the notes saved; what learns goes on bit for bit as what was saved. */
  restore(path: string): NativeJob<string>
}

/** One or more runs over the same batches, driven from TypeScript in stretches between evaluations. */
export interface NativeTuner extends NativeLearner {
  /**
   * `steps` more steps of the runs `active`, or fewer: it ends with the first that a run diverged in. `onSteps` gets those done since its last call, in order, one
   * entry a step and run. Other work of the model gets in between steps and layers.
   */
  run(steps: number, active: NativeActiveRun[], onSteps: (steps: NativeStep[]) => void): NativeJob<void>
  /** A run's prompt as it is now (the moving average where the optimiser keeps one). */
  prompt(run: number): NativeJob<NativePromptRows>
  /** The run goes on from these rows, with a fresh optimiser. */
  reset(run: number, prompt: NativePromptRows): NativeJob<void>
}

/** How a model that is to learn computes: the masters of its weights are float32 in any case. */
export interface NativeTrainableOptions {
  dtype: 'float32' | 'bfloat16'
  threads: number
  device: string
}

export interface NativeTrainerOptions {
  /** The schedule's length. */
  steps: number
  dropout: number
  /** Of the dropout masks. */
  seed: number
  /** Rows in one pass, whose gradients are added up; 0: all of a batch. */
  microBatchSize: number
  loss: NativeLoss
  /** Adafactor or AdamW (OPTION_UNSUPPORTED). */
  optimizer: NativeOptimizer & {
    /** T5's Adafactor: a weight's rate is the schedule's times max(RMS(weight), 1e-3). */
    parameterScaling: boolean
  }
}

/** Training of all weights of a trainable model, on batches that the caller makes. */
export interface NativeTrainer extends NativeLearner {
  /** One step; its rate is the schedule's times `rateFactor`. Cancelled, it has changed nothing. */
  step(inputs: TokenRows, targets: TokenRows, rateFactor: number): NativeJob<NativeTrainStep>
  /** Summed over the target tokens; without dropout. Nothing changes. */
  loss(inputs: TokenRows, targets: TokenRows): NativeJob<{ negativeLogProb: number; targetTokens: number }>
  /** Remembers the weights of now, and `recall` goes back to them; optimiser and step stay. Checkpoints have them too. */
  keep(): NativeJob<void>
  recall(): NativeJob<void>
  /** Goes on from the weights remembered, with a fresh optimiser; the step stays. */
  setBack(): NativeJob<void>
  /** Where there is a moving average: the model has it in place of its weights, until the next call. No step or checkpoint in between. */
  exchange(): NativeJob<void>
}
