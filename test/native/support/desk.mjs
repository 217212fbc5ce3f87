// The native module as a test's own process opens it, and small inputs for it. Plain JavaScript: child processes run it as it is.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The native module; each environment (main thread, Worker) opens its own. */
export function openDesk() {
  const { loader, libtorch, core } = JSON.parse(process.env.SOFTPROMPT_TEST_DESK)
  return createRequire(import.meta.url)(loader).open(libtorch, core)
}

/** A T5 of a few thousand weights. */
export const tinyModel = fileURLToPath(new URL('../../fixtures/t5-v1.1', import.meta.url))

export function load(native, options = {}) {
  return native.loadModel({ path: tinyModel, device: 'cpu', dtype: 'float32', threads: 1, trust: false, ...options }, () => {})
}

export function tokenRows(rows) {
  const offsets = [0]
  for (const row of rows) offsets.push(offsets.at(-1) + row.length)
  return { ids: Int32Array.from(rows.flat()), offsets: Int32Array.from(offsets) }
}

/** Rows without a prompt, or all behind `prompt`. */
export function promptedRows(rows, prompt) {
  return {
    inputs: tokenRows(rows),
    prompts: prompt ? [prompt] : [],
    promptOfRow: new Int32Array(rows.length).fill(prompt ? 0 : -1),
  }
}

export function generateOptions(count, maxNewTokens, minNewTokens = 0) {
  return Array.from({ length: count }, () => ({ maxNewTokens, minNewTokens }))
}

const optimizer = {
  name: 'adafactor',
  learningRate: 0.3,
  weightDecay: 1e-5,
  schedule: 'constant',
  warmupSteps: 0,
  clipThreshold: 1,
  decayRate: 0.8,
  initialStep: 0,
  minDimSizeToFactor: 128,
  epsilon: 1e-30,
  beta1: 0.9,
  beta2: 0.999,
  maxGradientNorm: 0,
  averageDecay: 0,
  momentum: 0.9,
}

export const loss = { reduction: 'sum', zLoss: 0, labelSmoothing: 0 }

/** A run over 24 rows that map a first token to a last one. */
export function tuneOptions(options = {}) {
  const starts = Array.from({ length: 24 }, (_, i) => 3 + i)
  return {
    inputs: tokenRows(starts.map((start) => [start, 40 + (start % 7), 50, 1].slice(start % 3))),
    targets: tokenRows(starts.map((start) => [60 + (start % 5), 1])),
    runs: [{ length: 9, init: { kind: 'vocabulary', sampledFrom: 100 }, seed: 7, learningRate: 0.3 }],
    steps: 100,
    batchSize: 8,
    microBatchSize: 0,
    shuffle: true,
    dropout: 0.1,
    seed: 7,
    loss,
    optimizer,
    ...options,
  }
}

/** The run of `tuneOptions`, at its rate. */
export const theRun = [{ run: 0, rateFactor: 1 }]

/** A number of steps that no test waits for. */
export const endless = 1_000_000_000

/** Training of all weights on `trainerBatch`. */
export function trainerOptions(options = {}) {
  return {
    steps: 100,
    dropout: 0.1,
    seed: 3,
    microBatchSize: 0,
    loss: { ...loss, reduction: 'mean' },
    optimizer: { ...optimizer, learningRate: 1e-2, weightDecay: 0, parameterScaling: true },
    ...options,
  }
}

export const trainerBatch = [
  tokenRows([
    [3, 4, 5, 1],
    [6, 1],
    [7, 8, 9, 10, 11, 1],
  ]),
  tokenRows([
    [20, 21, 1],
    [22, 1],
    [23, 24, 25, 1],
  ]),
]
