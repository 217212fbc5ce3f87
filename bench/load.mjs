// From a folder to the first token, each time in a new process (the file is in the system's cache from the warm-up on). To the first token, because from_pretrained maps
// a file whose dtype is the wanted one and reads it only when it is used.
import { statSync } from 'node:fs'
import { join } from 'node:path'

export const LOAD_PEERS = ['float32', 'bfloat16']

const FIRST_TOKEN = { rows: [{ input: [3, 4, 5, 1], length: 1, tokens: 1 }], numBeams: 1 }

export async function load({ folder }, contenders, { rounds }) {
  const gigabytes = statSync(join(folder, 'model.safetensors')).size / 1e9
  const entries = contenders.map(({ name, dtype }) => ({ name, dtype, seconds: [], rates: [], flops: [], bytes: [] }))
  for (let round = 0; round <= rounds; round++)
    for (const [i, contender] of contenders.entries()) {
      const running = contender.start()
      const loaded = await running.ask('loaded')
      const { seconds } = await running.ask('decode', FIRST_TOKEN)
      entries[i].memory = await running.ask('memory')
      await running.close()
      if (round === 0) continue
      entries[i].seconds.push(loaded.seconds + seconds)
      entries[i].rates.push(gigabytes / (loaded.seconds + seconds))
    }
  return { unit: 'GB/s of the file', contenders: entries }
}
