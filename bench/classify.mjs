import { compare } from './compare.mjs'
import { classifyingFlops } from './flops.mjs'
import { encodedLabels, encodedRows } from './rows.mjs'

export const CLASSIFY_PEERS = ['float32', 'bfloat16', 'each-float32']

/** The log-probabilities of all labels of banking77 for each input. Hugging Face runs the encoder once and the decoder a label at a time, or both a label at a time. */
export async function classify({ helper, batchSize }, contenders, options) {
  const config = await helper.ask('config')
  const rows = await encodedRows(helper, 'banking77', (options.rounds + 1) * batchSize, options)
  const labels = await encodedLabels(helper, 'banking77', options)
  const { length } = options
  const request = (round) => {
    const inputs = rows.slice(round * batchSize, (round + 1) * batchSize).map(({ input }) => input)
    const lengths = [inputs.map((ids) => ids.length + length), labels.map((ids) => ids.length)]
    return { work: 'classify', body: { inputs, labels, length }, items: batchSize, flops: classifyingFlops(config, ...lengths) }
  }
  return { unit: 'inputs/s', contenders: await compare(contenders, { rounds: options.rounds, request }) }
}
