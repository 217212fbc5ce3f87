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
    versions: { softprompt: version, node: process.versions.node, ...(await pythonVersions(peerPython)) },
  }
}

const probes = new Map()

/** Operations a second that matrix products reach in each dtype, and bytes a second of a plain read, on so many threads now; nothing where there is no Python. */
export function peaks(threads, { peerPython }) {
  if (!peerPython) return undefined
  if (!probes.has(threads)) probes.set(threads, pythonPeer(peerPython, '-', 'float32', threads))
  return probes.get(threads).ask('peaks')
}

/** The larger of two, each. */
export function higher(some, others) {
  return some && Object.fromEntries(Object.entries(some).map(([what, rate]) => [what, Math.max(rate, others[what])]))
}

/** Ends the processes that measured peaks. */
export async function closeProbes() {
  for (const probe of probes.values()) await probe.close()
}

async function pythonVersions(python) {
  if (!python) return undefined
  const peer = pythonPeer(python, '-', 'float32', 1)
  try {
    return await peer.ask('versions')
  } finally {
    await peer.close()
  }
}
