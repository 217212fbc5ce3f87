import { compare } from './compare.mjs'
import { trainingFlops } from './flops.mjs'
import { encodedRows } from './rows.mjs'

export const TRAIN_PEERS = ['float32', 'bfloat16', 'compiled-float32', 'compiled-bfloat16']

/** Steps of prompt tuning (forward, backward, AdamW; no dropout). A round is a step of a model of real size, five of nano-t5. */
export async function train({ helper, task, batchSize, steps, apart }, contenders, options) {
  const rounds = apart && options.quick ? 1 : options.rounds
  const config = await helper.ask('config')
  const a = steps * batchSize
  const rows = await encodedRows(helper, task, (rounds + 1) * a, options)
  const { length } = options
  const request = (round) => {
    const part = rows.slice(round * a, (round + 1) * a)
    const batches = Array.from({ length: steps }, (_, i) => part.slice(i * batchSize, (i + 1) * batchSize))
    const lengths = part.map(({ input, target }) => ({ input: length + input.length, output: target.length }))
    return { work: 'train', body: { batches, length }, items: a, flops: trainingFlops(config, lengths) }
  }
  return { unit: 'examples/s', contenders: await compare(contenders, { rounds, request, apart }) }
}
