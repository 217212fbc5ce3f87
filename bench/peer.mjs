import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SCRIPT = fileURLToPath(new URL('peer.py', import.meta.url))

/** The rates of Hugging Face and PEFT on the same model and batches: see peer.py. Null where no Python was named. */
export async function peerRates(task, rows, options, dtype, threads) {
  if (!options.peerPython) return null
  const folder = await mkdtemp(join(tmpdir(), 'softprompt-bench-'))
  try {
    const file = join(folder, 'rows.json')
    await writeFile(file, JSON.stringify(rows))
    const sizes = ['--batch', options.batchSize, '--length', options.length, '--rounds', options.rounds, '--threads', threads]
    const command = [SCRIPT, task, options.model, file, '--dtype', dtype, ...sizes.map(String)]
    const { stdout } = await promisify(execFile)(options.peerPython, command)
    return JSON.parse(stdout)
  } finally {
    await rm(folder, { recursive: true })
  }
}
