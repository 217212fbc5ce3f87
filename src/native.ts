/**
 * The one typed view of the native module (`binding/addon`). Nothing else in `src/` knows what crosses the desk.
 *
 * Rules of the desk: values are checked in TypeScript before they get here, and only asserted in C++. Token ids cross as typed arrays.
 * Everything that may take long returns a {@link NativeJob} at once. Native failures are `Error`s with a string `code`.
 */

/** Rows of token ids of unequal length: row i is `ids[offsets[i] .. offsets[i + 1])`; `offsets` has rows + 1 entries. */
export interface TokenRows {
  ids: Int32Array
  offsets: Int32Array
}

/** A prompt as it crosses: float32, row-major, `rows` x `dModel`. */
export interface NativePromptRows {
  data: Float32Array
  rows: number
  dModel: number
}

export interface NativePromptFile extends NativePromptRows {
  metadata: Record<string, string>
}

/** Work on a compute thread. `cancel()` makes `promise` reject with code `CANCELLED` at the next yield point; late or repeated calls do nothing. */
export interface NativeJob<T> {
  promise: Promise<T>
  cancel(): void
}

/** Queries that share a call: row i is `inputs` row i behind `prompts[promptOfRow[i]]` (-1: none). */
export interface NativePromptedRows {
  inputs: TokenRows
  prompts: NativePromptRows[]
  promptOfRow: Int32Array
}

/** What is left out is core's default, which is the API's. */
export interface NativeGenerateOptions {
  maxNewTokens: number
  minNewTokens: number
  numBeams?: number
  lengthPenalty?: number
  /** When a search with enough outputs ends: the API's true, false and 'never'. */
  earlyStopping?: 'atOnce' | 'heuristic' | 'never'
  numReturnSequences?: number
  doSample?: boolean
  temperature?: number
  topK?: number
  topP?: number
  /** A row's random numbers are functions of the two. */
  seed?: number
  place?: number
  repetitionPenalty?: number
  noRepeatNgramSize?: number
  /** Places in the call's `sequences`. */
  badWords?: number
  labels?: number
}

export interface NativeGeneration {
  tokens: Int32Array
  logProb: number
  finishReason: 'eos' | 'length'
}

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

export interface NativeStep {
  /** Index of the run. */
  run: number
  step: number
  loss: number
  gradientNorm: number
  learningRate: number
  /** 0: the batch had none of the run's rows, and this was no step of it. */
  examples: number
  inputTokens: number
  targetTokens: number
  /** What is not finite, where the step was not taken; the prompt is as it was. */
  diverged?: string
}

/** A run that takes part in steps; its rate is the schedule's times `rateFactor`. */
export interface NativeActiveRun {
  run: number
  rateFactor: number
}

/** One or more runs over the same batches, driven from TypeScript in stretches between evaluations. Lives on its model's compute thread. */
export interface NativeTuner {
  /**
   * `steps` more steps of the runs `active`, or fewer: it ends with the first that a run diverged in. `onSteps` gets those done since its last call, in order, one
   * entry a step and run. Other work of the model gets in between steps and layers.
   */
  run(steps: number, active: NativeActiveRun[], onSteps: (steps: NativeStep[]) => void): NativeJob<void>
  /** A run's prompt as it is now (the moving average where the optimiser keeps one). */
  prompt(run: number): NativeJob<NativePromptRows>
  /** The run goes on from these rows, with a fresh optimiser. */
  reset(run: number, prompt: NativePromptRows): NativeJob<void>
  /** Until `release` no other run, of this process or another, may claim the path for its checkpoint (CHECKPOINT_LOCKED). */
  claim(path: string): NativeJob<void>
  release(): NativeJob<void>
  save(path: string, notes: string): NativeJob<void>
  /** Gives back the notes saved. */
  restore(path: string): NativeJob<string>
}

/** What a model's weights are held in. */
export type Dtype = 'float32' | 'bfloat16' | 'int8'

export interface NativeModelInfo {
  device: string
  dtype: Dtype
  configJson: string
  fingerprint: string
  parameterCount: number
  bytes: number
  threads: number
}

/** `finishRow` ends a row with the tokens that it has at the next step; nothing happens to a beam search. */
export interface NativeGenerateJob extends NativeJob<NativeGeneration[][]> {
  finishRow(row: number): void
}

export interface NativeModel {
  readonly info: NativeModelInfo
  /** Of each row its outputs, the best first. `onTokens` gets the tokens of each row's first output. */
  generate(
    rows: NativePromptedRows,
    options: NativeGenerateOptions[],
    onTokens?: (rows: Int32Array, tokens: Int32Array) => void,
    sequences?: TokenRows[],
  ): NativeGenerateJob
  /** One Float32Array a row, a number a target token. */
  score(rows: NativePromptedRows, targets: TokenRows): NativeJob<Float32Array[]>
  /** rows x labels, row-major. */
  classify(rows: NativePromptedRows, labels: TokenRows): NativeJob<Float32Array>
  gradient(
    inputs: TokenRows,
    targets: TokenRows,
    prompt: NativePromptRows,
    loss: NativeLoss,
  ): NativeJob<{ loss: number; gradient: Float32Array }>
  /** The `count` embeddings (or all there are) most like each prompt row, the nearest first: rows x count, and their cosines. */
  nearest(prompt: NativePromptRows, count: number): NativeJob<{ ids: Int32Array; similarity: Float32Array }>
  tuner(options: NativeTuneOptions): NativeJob<NativeTuner>
  /** A copy that can learn, with a compute thread of its own. */
  trainable(options: NativeTrainableOptions): NativeJob<NativeModel>
  /** Of a trainable model only (MODEL_FROZEN). */
  trainer(options: NativeTrainerOptions): NativeJob<NativeTrainer>
  /** As info.fingerprint, of the weights as they are now. */
  fingerprint(): NativeJob<string>
  /** The weights as they are now, as safetensors by Hugging Face's names. */
  saveWeights(path: string, dtype: 'float32' | 'bfloat16'): NativeJob<void>
  /** sha256 over every frozen tensor's bytes as held: the same before and after `tune`. */
  digest(): NativeJob<string>
  /** Cancels what is queued and running (code MODEL_DISPOSED), ends the thread, frees the tensors. Settles when that is done. */
  dispose(): Promise<void>
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
  /** Adafactor or AdamW, without a moving average (OPTION_UNSUPPORTED). */
  optimizer: NativeOptimizer & {
    /** T5's Adafactor: a weight's rate is the schedule's times max(RMS(weight), 1e-3). */
    parameterScaling: boolean
  }
}

export interface NativeTrainStep {
  step: number
  /** A target token's mean. */
  loss: number
  gradientNorm: number
  learningRate: number
  examples: number
  inputTokens: number
  targetTokens: number
  /** What is not finite, where the step was not taken; the weights are as they were. */
  diverged?: string
}

/** Training of all weights of a trainable model, on batches that the caller makes. Lives on its model's compute thread. */
export interface NativeTrainer {
  /** One step; its rate is the schedule's times `rateFactor`. Cancelled, it has changed nothing. */
  step(inputs: TokenRows, targets: TokenRows, rateFactor: number): NativeJob<NativeTrainStep>
  /** Summed over the target tokens; without dropout. Nothing changes. */
  loss(inputs: TokenRows, targets: TokenRows): NativeJob<{ negativeLogProb: number; targetTokens: number }>
  /** Remembers the weights of now, and `recall` goes back to them; optimiser and step stay. Checkpoints have them too. */
  keep(): NativeJob<void>
  recall(): NativeJob<void>
  /** Until `release` no other run, of this process or another, may claim the path for its checkpoint (CHECKPOINT_LOCKED). */
  claim(path: string): NativeJob<void>
  release(): NativeJob<void>
  save(path: string, notes: string): NativeJob<void>
  /** Gives back the notes saved; the run goes on bit for bit as the one that was saved. */
  restore(path: string): NativeJob<string>
}

export interface NativeLoadOptions {
  path: string
  device: string
  dtype: string
  threads: number
  trust: boolean
}

/** What a file's header says. */
export interface NativeFileInfo {
  /** A soft prompt, a run's checkpoint, other safetensors, a model of `convert`, PyTorch's weights, or a model's folder. */
  kind: 'prompt' | 'checkpoint' | 'safetensors' | 'torchscript' | 'statedict' | 'model'
  /** In the order of the file. */
  tensors: {
    /** As the file has it. */
    name: string
    /** As the file has it: 'F32', 'BF16' ... */
    dtype: string
    /** The outermost dimension first. */
    shape: number[]
  }[]
  /** What the file says of itself: strings by name. */
  metadata: Record<string, string>
  /** Of a model's folder or .pt. */
  weights?: NativeWeightsInfo
}

/** What a model's weights take; read from headers alone. */
export interface NativeWeightsInfo {
  /** model.safetensors, pytorch_model.bin, or a .pt of `convert`. */
  format: 'safetensors' | 'pytorch' | 'torchscript'
  /** The files that hold the weights; more than one where there is an index. */
  shards: {
    /** In the folder. */
    name: string
    /** On disk. */
    bytes: number
  }[]
  /** Of all files together. */
  bytesOnDisk: number
  /** In memory once loaded, without copies that are not kept. */
  bytesAsFloat32: number
  /** Likewise. */
  bytesAsBfloat16: number
}

export interface Native {
  versions(): { libtorch: string; napi: number; cuda: boolean; bfloat16: boolean; threads: number; cpuCapability: string }
  loadModel(options: NativeLoadOptions, onProgress: (fraction: number) => void): NativeJob<NativeModel>
  /** A new model with random weights, as T5 begins. */
  createModel(options: { configJson: string; seed: number } & NativeTrainableOptions): NativeJob<NativeModel>
  convert(folder: string, out: string, dtype: string): NativeJob<void>
  loadPrompt(path: string): NativeJob<NativePromptFile>
  savePrompt(prompt: NativePromptFile, path: string, format: 'safetensors' | 'npy' | 'peft'): NativeJob<void>
  inspect(path: string): NativeJob<NativeFileInfo>
}
