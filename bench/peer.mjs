import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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

/** A Python process of decode_peer.py that stays: one request, one number. */
export class Peer {
  #process
  #answers

  constructor(python, args) {
    const script = fileURLToPath(new URL('decode_peer.py', import.meta.url))
    this.#process = spawn(python, [script, ...args.map(String)], { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  async ask(request) {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error('decode_peer.py ended: does its Python have torch and transformers?')
    return Number(value)
  }

  close() {
    this.#process.stdin.end()
  }
}
