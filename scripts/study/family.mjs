// The T5s of the study, T5 v1.1 in small with nano-t5's vocabulary, and how they are trained.

const shared = {
  model_type: 't5',
  vocab_size: 4224,
  num_layers: 4,
  num_decoder_layers: 4,
  feed_forward_proj: 'gated-gelu',
  tie_word_embeddings: false,
}

/** By their millions of parameters: 0.98, 2.85 and 7.75. */
export const FAMILY = {
  '1m': { ...shared, d_model: 64, num_heads: 4, d_kv: 16, d_ff: 160 },
  '3m': { ...shared, d_model: 128, num_heads: 4, d_kv: 32, d_ff: 320 },
  '8m': { ...shared, d_model: 224, num_heads: 7, d_kv: 32, d_ff: 640 },
}

/** Windows of 128 tokens, 32 a step: 5,000 tokens of inputs and targets. */
const common = { windowLength: 128, batchSize: 32, seed: 0 }

/** Adafactor with parameter scaling as T5 has it; the rate falls to 0 over the pre-training, and is constant in the adaptation, so that each of its steps is a shorter adaptation. */
export const STAGES = [
  {
    suffix: '-span',
    options: {
      ...common,
      objective: 'span-corruption',
      steps: 12_000,
      evaluateEvery: 500,
      optimizer: { name: 'adafactor', learningRate: 0.02, schedule: 'cosine', warmupSteps: 200 },
    },
  },
  { suffix: '', from: '-span', options: { ...common, objective: 'prefix-lm', steps: 1200, evaluateEvery: 150, learningRate: 0.003 } },
]
