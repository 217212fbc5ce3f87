// What a case's work must cost at least, from the config and the rows' true lengths: floating-point operations (a multiplication and an addition are two), and bytes.
// Whoever pads or computes twice is charged for it by taking longer, not by a larger count.

const sum = (list, of) => list.reduce((total, one) => total + of(one), 0)

/** Weights that each token of the encoder and of the decoder meets, and those of all keys and values that the decoder takes from an encoder token. */
function weights(config) {
  const { dModel: d, dFf, numHeads, dKv, numLayers, numDecoderLayers, vocabSize } = config
  const inner = numHeads * dKv
  const feedForward = (config.feedForwardProj.startsWith('gated') ? 3 : 2) * d * dFf
  const cross = 2 * numDecoderLayers * d * inner
  return {
    inner,
    encoder: numLayers * (4 * d * inner + feedForward),
    cross,
    decoder: numDecoderLayers * (8 * d * inner + feedForward) - cross,
    head: vocabSize * d,
  }
}

/** One forward pass over rows of { input, output } (lengths in tokens, the prompt's rows in `input`), every output position with its scores over the vocabulary. */
function forward(config, rows) {
  const { encoder, cross, decoder, head, inner } = weights(config)
  const { numLayers, numDecoderLayers } = config
  return {
    linear: 2 * sum(rows, ({ input, output }) => input * (encoder + cross) + output * (decoder + head)),
    attention: 4 * inner * sum(rows, ({ input, output }) => numLayers * input ** 2 + numDecoderLayers * (input * output + output ** 2)),
  }
}

/** A training step of a frozen model: forward, and backward without gradients of weights. */
export function trainingFlops(config, rows) {
  const { linear, attention } = forward(config, rows)
  return 2 * linear + 3 * attention
}

/** Decoding `output` tokens a row behind one encoder pass; `lanes` decoder rows an encoder row (beams). */
export function decodingFlops(config, rows, lanes = 1) {
  const { encoder, cross, decoder, head, inner } = weights(config)
  const { numLayers, numDecoderLayers } = config
  const once = sum(rows, ({ input }) => 2 * input * (encoder + cross) + 4 * inner * numLayers * input ** 2)
  // A token sees those before it and itself: half of the square.
  const token = ({ input, output }) => 2 * output * (decoder + head) + 4 * inner * numDecoderLayers * (input * output + output ** 2 / 2)
  return once + lanes * sum(rows, token)
}

/** All labels (lengths in tokens) behind one encoder pass a row. */
export function classifyingFlops(config, rows, labels) {
  return sum(rows, (input) => decodingFlops(config, [{ input, output: 0 }]) + sum(labels, (output) => scoringFlops(config, input, output)))
}

function scoringFlops(config, input, output) {
  const { decoder, head, inner } = weights(config)
  return 2 * output * (decoder + head) + 4 * inner * config.numDecoderLayers * (input * output + output ** 2)
}

export const BYTES = { float32: 4, bfloat16: 2, int8: 1 }

/** Bytes that one step of decoding reads at least: the decoder's weights without the projections of the encoder's output, and the head. */
export function stepBytes(config, dtype) {
  const { decoder, head } = weights(config)
  return (decoder + head) * BYTES[dtype]
}
