import { CLASSIFY_PEERS, classify } from './classify.mjs'
import { DECODE_PEERS, decode, decodeMixed } from './decode.mjs'
import { eventLoop } from './event-loop.mjs'
import { growth } from './growth.mjs'
import { LOAD_PEERS, load } from './load.mjs'
import { serve } from './serve.mjs'
import { soak } from './soak.mjs'
import { TRAIN_PEERS, train } from './train.mjs'

const REAL = ['nano-t5', 'v1.1-small', 'v1.1-base']

/**
 * Every case: what it is about, the models it is for, and `measure`, which compares contenders ({ unit, contenders }). `alone`: it has no peers and prints for itself.
 * `only`: it runs when it is named, and not with 'all'.
 */
export const CASES = {
  'train-short': {
    about: 'steps of prompt tuning: snips, batch 32, prompt 100',
    models: REAL,
    peers: TRAIN_PEERS,
    training: true,
    batchSize: 32,
    measure: (bench, ...rest) => train({ ...bench, task: 'snips', ...trainingOf(bench.model) }, ...rest),
  },
  'train-long': {
    about: 'steps of prompt tuning: xquad, inputs to 512, batch 32, prompt 100 (--data)',
    models: ['v1.1-small'],
    peers: TRAIN_PEERS,
    training: true,
    batchSize: 32,
    measure: (bench, ...rest) => train({ ...bench, task: 'xquad', ...trainingOf(bench.model), apart: true }, ...rest),
  },
  'decode-1': { about: 'greedy, 64 new tokens, prompt 100, 1 row', models: REAL, peers: DECODE_PEERS, batchSize: 1, measure: decode },
  'decode-32': { about: 'greedy, 64 new tokens, prompt 100, 32 rows', models: REAL, peers: DECODE_PEERS, batchSize: 32, measure: decode },
  'decode-mixed': {
    about: '32 prompts of 32 lengths in one batch, and one prompt of as many rows in all',
    models: ['v1.1-small'],
    peers: DECODE_PEERS,
    batchSize: 32,
    measure: decodeMixed,
  },
  'beam-4': {
    about: '8 rows, 4 beams, 64 new tokens',
    models: ['v1.1-small'],
    peers: ['float32', 'bfloat16'],
    batchSize: 8,
    measure: (bench, ...rest) => decode({ ...bench, numBeams: 4 }, ...rest),
  },
  classify: {
    about: "banking77's 77 labels, batch 32 (--data)",
    models: ['v1.1-small'],
    peers: CLASSIFY_PEERS,
    batchSize: 32,
    measure: classify,
  },
  load: { about: 'from a float32 folder to the first token', models: ['v1.1-base'], peers: LOAD_PEERS, measure: load, large: true },
  growth: { about: 'the time of a step over batch, input, prompt; of classify over labels', models: ['v1.1-small'], alone: growth },
  serve: { about: 'an HTTP server: concurrent requests, with and without a tuning run beside them', models: ['nano-t5'], alone: serve },
  'event-loop': { about: 'the delay of a timer while a model is tuned', models: ['nano-t5'], alone: eventLoop },
  soak: { about: 'tuning and generation for --minutes: does memory grow?', models: ['nano-t5'], alone: soak, only: true },
}

/** nano-t5's steps are short: a round has five. The base model's processes do not all fit in memory. */
function trainingOf(model) {
  return { steps: model === 'nano-t5' ? 5 : 1, apart: model === 'v1.1-base' }
}
