import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A process that does what it is asked, one JSON line a request and one a line of answer. What it writes besides is kept for the message, should it end. */
export class Contender {
  #process
  #answers
  #complaints = ''

  constructor(command, args, env = {}) {
    this.#process = spawn(command, args.map(String), { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.#process.on('error', (error) => {
      this.#complaints += error.message
    })
    this.#process.stdin.on('error', () => {}) // it ended: the next answer says so
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#complaints = (this.#complaints + text).slice(-2000)
    })
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  async ask(work, request = {}) {
    this.#process.stdin.write(`${JSON.stringify({ work, ...request })}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`the process ended: ${this.#complaints.trim()}`)
    const answer = JSON.parse(value)
    if (answer.error) throw new Error(answer.error)
    return answer
  }

  /** Ends the process and waits for that. */
  async close() {
    if (this.#process.exitCode !== null || this.#process.pid === undefined) return
    const closed = new Promise((resolve) => {
      this.#process.once('close', resolve)
    })
    this.#process.stdin.end()
    await closed
  }
}
