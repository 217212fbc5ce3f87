import type { T5Config } from '../config.js'

/** The fields of a config that decide how many numbers a T5 has. */
export interface Sizes
  extends Pick<
    T5Config,
    | 'dModel'
    | 'dKv'
    | 'dFf'
    | 'numLayers'
    | 'numDecoderLayers'
    | 'numHeads'
    | 'vocabSize'
    | 'relativeAttentionNumBuckets'
    | 'feedForwardProj'
  > {
  /** Whether the head is the embedding. */
  tied: boolean
}

/** How many numbers a T5 of such a config has, its embedding and head included. */
export function parameterCount(sizes: Sizes): number {
  const { dModel, dKv, dFf, numLayers, numDecoderLayers, numHeads, vocabSize, relativeAttentionNumBuckets, feedForwardProj, tied } = sizes
  const attention = 4 * dModel * numHeads * dKv
  const feedForward = (feedForwardProj.startsWith('gated') ? 3 : 2) * dModel * dFf
  const encoder = numLayers * (attention + feedForward + 2 * dModel)
  const decoder = numDecoderLayers * (2 * attention + feedForward + 3 * dModel)
  const biases = 2 * relativeAttentionNumBuckets * numHeads
  return (tied ? 1 : 2) * vocabSize * dModel + encoder + decoder + biases + 2 * dModel
}

const V11 = { dKv: 64, vocabSize: 32_128, relativeAttentionNumBuckets: 32, feedForwardProj: 'gated-gelu', tied: false }
const size = (layers: number, numHeads: number, dModel: number, dFf: number): Sizes => ({
  ...{ ...V11, numLayers: layers, numDecoderLayers: layers, numHeads, dModel, dFf },
})

/** The five T5 v1.1 that the paper tunes. */
export const PAPER_SIZES: Readonly<Record<string, Sizes>> = {
  ...{ small: size(8, 6, 512, 1024), base: size(12, 12, 768, 2048), large: size(24, 16, 1024, 2816) },
  ...{ xl: size(24, 32, 2048, 5120), xxl: size(24, 64, 4096, 10_240) },
}

export interface ParameterRow {
  name: string
  /** Of a prompt of `length` rows. */
  prompt: number
  /** Of the model and the prompt. */
  all: number
  /** prompt / all */
  share: number
}

/** The paper's table 4, for any length: how little of all parameters is learned. */
export function parameterTable(length: number, sizes: Readonly<Record<string, Sizes>> = PAPER_SIZES): ParameterRow[] {
  return Object.entries(sizes).map(([name, one]) => {
    const prompt = length * one.dModel
    const all = parameterCount(one) + prompt
    return { name, prompt, all, share: prompt / all }
  })
}
