import { compare } from './compare.mjs'
import { decodingFlops, stepBytes } from './flops.mjs'
import { encodedRows } from './rows.mjs'

export const DECODE_PEERS = ['float32', 'bfloat16', 'onnx-float32', 'onnx-int8']

const inTurn = (list, i) => list[i % list.length]

/** Prompts of 32 lengths, as many rows together as 32 of the same length. */
const MIXED = Array.from({ length: 32 }, (_, i) => (2 * i + 1) / 32)

/** Greedy decoding, or by `numBeams`: exactly `tokens` new tokens a row. */
export async function decode({ helper, batchSize, numBeams }, contenders, options) {
  const batches = await decodingBatches(helper, batchSize, options)
  const request = (round) => batches(round, { numBeams })
  return { unit: 'tokens/s', contenders: await compare(contenders, { rounds: options.rounds, request }) }
}

/** 32 prompts of different lengths in one batch; softprompt also with one prompt for all, of the same number of rows in all. */
export async function decodeMixed({ helper, batchSize }, contenders, options) {
  const batches = await decodingBatches(helper, batchSize, options)
  const request = (round) => ({ ...batches(round, { shares: MIXED }), same: batches(round) })
  const same = contenders
    .filter(({ name }) => name.startsWith('softprompt'))
    .map((own) => ({ ...own, name: `${own.name}, one prompt for all`, adapt: (request) => request.same }))
  return { unit: 'tokens/s', contenders: await compare([...contenders, ...same], { rounds: options.rounds, request }) }
}

/** Gives the request of a round. Row i has a prompt of `shares[i]` times the length. */
async function decodingBatches(helper, batchSize, { rounds, length, tokens }) {
  const config = await helper.ask('config')
  const all = await encodedRows(helper, 'snips', (rounds + 1) * batchSize, {})
  return (round, { numBeams = 1, shares = [1] } = {}) => {
    const part = all.slice(round * batchSize, (round + 1) * batchSize)
    const rows = part.map(({ input }, i) => ({ input, length: Math.max(1, Math.round(length * inTurn(shares, i))), tokens }))
    const lengths = rows.map(({ input, length }) => ({ input: input.length + length, output: tokens }))
    return {
      work: 'decode',
      body: { rows, numBeams },
      items: batchSize * tokens,
      flops: decodingFlops(config, lengths, numBeams),
      bytes: (dtype) => tokens * stepBytes(config, dtype),
    }
  }
}
