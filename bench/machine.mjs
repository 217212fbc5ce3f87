import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { pythonPeer } from './peers.mjs'

/** What figures depend on besides the code: the processor by its name, memory, versions. */
export async function machine({ peerPython }) {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const [{ model }] = cpus()
  return {
    processor: model,
    cores: cpus().length,
    gigabytes: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    versions: { softprompt: version, node: process.versions.node, ...(await askPython(peerPython, 1, 'versions')) },
  }
}

/** Operations a second that matrix products reach in each dtype, and bytes a second of a plain read, on so many threads now; nothing where there is no Python. */
export function peaks(threads, { peerPython }) {
  return askPython(peerPython, threads, 'peaks')
}

async function askPython(python, threads, work) {
  if (!python) return undefined
  const peer = pythonPeer(python, '-', 'float32', threads)
  try {
    return await peer.ask(work)
  } finally {
    await peer.close()
  }
}
