/**
 * The one typed view of the native module (`binding/addon`). Nothing else in `src/` knows what crosses the desk.
 *
 * Rules of the desk: values are checked in TypeScript before they get here, and only asserted in C++. Token ids cross as typed arrays.
 * Everything that may take long returns a {@link NativeJob} at once. Native failures are `Error`s with a string `code`.
 */
import type {
  NativeLoss,
  NativeTrainableOptions,
  NativeTrainer,
  NativeTrainerOptions,
  NativeTuneOptions,
  NativeTuner,
} from './native/learning.js'
import type { NativeJob, NativePromptRows, TokenRows } from './native/values.js'

export type * from './native/learning.js'
export type * from './native/values.js'

export interface NativePromptFile extends NativePromptRows {
  metadata: Record<string, string>
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
