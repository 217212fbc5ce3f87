// From a folder to the first token, each time in a new process (the file is in the system's cache from the warm-up on). To the first token, because from_pretrained maps
// a file whose dtype is the wanted one and reads it only when it is used.
import { attempt, entriesOf } from './compare.mjs'

export const LOAD_PEERS = ['float32', 'bfloat16']

const FIRST_TOKEN = { rows: [{ input: [3, 4, 5, 1], length: 1, tokens: 1 }], numBeams: 1 }

/** Seconds of every contender; the work is so little that there is no share of a peak. */
export async function load(_, contenders, { rounds }) {
  const entries = entriesOf(contenders)
  for (let round = 0; round <= rounds; round++)
    for (const [i, contender] of contenders.entries()) await attempt(entries[i], () => oneLoad(contender, entries[i], round))
  return { unit: 's', contenders: entries }
}

async function oneLoad(contender, entry, round) {
  const running = contender.start()
  try {
    const loading = await running.ask('loaded')
    const decoding = await running.ask('decode', FIRST_TOKEN)
    entry.memory = await running.ask('memory')
    if (round === 0) return
    const seconds = loading.seconds + decoding.seconds
    entry.seconds.push(seconds)
    entry.cpu.push(loading.cpu + decoding.cpu)
    entry.rates.push(seconds)
  } finally {
    await running.close()
  }
}
