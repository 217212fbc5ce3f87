import { SoftPrompt, T5 } from 'softprompt'
import { Peer } from './peer.mjs'
import { encodedRows } from './rows.mjs'
import { median, spread } from './statistics.mjs'

const NEW_TOKENS = 64

/** Batches of one kind. `lengths`: of the prompts, in turn; `tokens`: how many a row wants, in turn. */
const CASES = {
  'decode-1': { batch: 1 },
  'decode-32': { batch: 32 },
  'beam-4': { batch: 8, numBeams: 4 },
  'decode-mixed': { batch: 32, lengths: [1, 0.5, 0.2], tokens: [64, 16, 32, 8] },
}

const inTurn = (list, i) => list[i % list.length]

function randomPrompt(rows, dModel) {
  const values = Float32Array.from({ length: rows * dModel }, () => Math.random() - 0.5)
  return SoftPrompt.fromArray(values, { rows, dModel })
}

/** What a round decodes: the same rows for all who are compared. */
function batchOf(rows, round, { batch, lengths = [1], tokens = [NEW_TOKENS] }, length) {
  return Array.from({ length: batch }, (_, i) => ({
    input: inTurn(rows, round * batch + i).input,
    promptLength: Math.round(length * inTurn(lengths, i)),
    tokens: inTurn(tokens, i),
  }))
}

/** Bytes of weights that one decoded token reads at least: the decoder's, without the projections of the encoder's output, and the head. */
function bytesAToken({ dModel, dFf, dKv, numHeads, numDecoderLayers, vocabSize, raw }, dtype) {
  const feedForward = (raw.feed_forward_proj ?? 'relu').startsWith('gated') ? 3 : 2
  const numbers = numDecoderLayers * dModel * (6 * numHeads * dKv + feedForward * dFf) + vocabSize * dModel
  return numbers * (dtype === 'bfloat16' ? 2 : 4)
}

/** Seconds that softprompt takes for `batch`. */
async function seconds(t5, batch, { numBeams = 1 }, prompts) {
  const queries = batch.map(({ input, promptLength, tokens }) => ({
    input,
    prompt: prompts.get(promptLength),
    minNewTokens: tokens,
    maxNewTokens: tokens,
  }))
  const start = performance.now()
  await t5.generate(queries, { numBeams })
  return (performance.now() - start) / 1000
}

async function compare(name, kind, options) {
  const models = []
  for (const dtype of options.dtypes)
    models.push({ dtype, t5: await T5.load(options.model, { dtype, threads: options.threads }), rates: [], ratios: [], shares: [] })
  const [{ t5: first }] = models
  const rows = await encodedRows(first, options.data, (options.rounds + 1) * kind.batch)
  const prompts = new Map(
    [1, 0.5, 0.2].map((share) => Math.round(options.length * share)).map((n) => [n, randomPrompt(n, first.config.dModel)]),
  )
  const peer = options.peerPython && new Peer(options.peerPython, [options.model, '--threads', first.info.threads])
  console.log(
    `\n${name}: batch ${kind.batch}${kind.numBeams ? `, ${kind.numBeams} beams` : ''}, ${first.info.threads} threads; tokens/s, median (middle half)`,
  )
  const theirs = []
  for (let round = 0; round <= options.rounds; round++) {
    const batch = batchOf(rows, round, kind, options.length)
    const made = batch.reduce((sum, { tokens }) => sum + tokens, 0)
    const peerSeconds = peer && (await peer.ask({ batch, numBeams: kind.numBeams ?? 1 }))
    if (round > 0 && peer) theirs.push(made / peerSeconds)
    for (const model of models) {
      const took = await seconds(model.t5, batch, kind, prompts)
      if (round === 0) continue
      model.rates.push(made / took)
      if (!peer) continue
      model.ratios.push(peerSeconds / took)
      const bytes = bytesAToken(model.t5.config, model.dtype)
      if (kind.batch === 1) model.shares.push(((bytes * NEW_TOKENS) / took / (await peer.ask({ read: bytes }))) * 100)
    }
  }
  if (peer) console.log(`  Hugging Face float32 ${spread(theirs)}`)
  for (const { dtype, rates, ratios, shares } of models) {
    const beside = peer ? `   ratio ${spread(ratios, 2)}` : ''
    const share = shares.length > 0 ? `   ${median(shares).toFixed(0)} % of a plain read's bandwidth` : ''
    console.log(`  softprompt ${dtype.padEnd(9)} ${spread(rates)}${beside}${share}`)
  }
  peer?.close()
  for (const { t5 } of models) await t5.dispose()
}

/** New tokens per second of each case, beside Hugging Face's float32 `generate` on the same model, rows and threads, in turns. */
export const decode = Object.fromEntries(Object.entries(CASES).map(([name, kind]) => [name, (options) => compare(name, kind, options)]))
