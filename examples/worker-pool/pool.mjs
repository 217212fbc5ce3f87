import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Workers that each hold a model; a task goes to the first that is free. */
export class Pool {
  #options
  #workers = new Set()
  #idle = []
  #queue = []
  #closing = false

  /** `prompt`: a SoftPrompt or null. */
  static async open({ model, prompt = null, size = 2, threads = 1 }) {
    const pool = new Pool()
    const { data, rows, dModel, metadata } = prompt ?? {}
    pool.#options = { workerData: { model, threads, prompt: prompt && { data, shape: { rows, dModel, metadata } } } }
    await Promise.all(Array.from({ length: size }, () => pool.#start()))
    return pool
  }

  /** The answers to a batch of inputs, in their order. */
  generate(inputs) {
    return new Promise((resolve, reject) => {
      if (this.#closing) return reject(new Error('the pool is closed'))
      this.#queue.push({ inputs, resolve, reject })
      this.#next()
    })
  }

  /** Ends once all tasks are done. */
  async close() {
    this.#closing = true
    await Promise.all([...this.#workers].map((worker) => this.#end(worker)))
  }

  async #start() {
    const worker = new Worker(new URL('worker.mjs', import.meta.url), this.#options)
    this.#workers.add(worker)
    worker.task = null
    worker.on('error', (error) => {
      worker.failure = error
    })
    worker.on('exit', () => this.#lost(worker))
    await once(worker, 'message')
    worker.on('message', ({ texts, failure }) => {
      const { resolve, reject } = worker.task
      if (failure) reject(Object.assign(new Error(failure.message), { code: failure.code }))
      else resolve(texts)
      this.#free(worker)
    })
    this.#free(worker)
  }

  #free(worker) {
    worker.task = null
    worker.emit('free')
    this.#idle.push(worker)
    this.#next()
  }

  #next() {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const worker = this.#idle[0]
      const task = this.#queue.shift()
      try {
        worker.postMessage(task.inputs)
        worker.task = task
        this.#idle.shift()
      } catch (error) {
        task.reject(error) // it cannot be sent
      }
    }
  }

  #lost(worker) {
    this.#workers.delete(worker)
    this.#idle = this.#idle.filter((other) => other !== worker)
    worker.task?.reject(worker.failure ?? new Error('the worker ended'))
    worker.task = null
    worker.emit('free')
    if (!this.#closing) this.#start().catch((error) => this.#giveUp(error))
    else if (this.#workers.size === 0) this.#giveUp(new Error('the pool is closed'))
  }

  #giveUp(error) {
    for (const { reject } of this.#queue.splice(0)) reject(error)
  }

  async #end(worker) {
    while (worker.task || this.#queue.length > 0) await once(worker, 'free')
    if (!this.#workers.has(worker)) return
    const ended = once(worker, 'exit')
    worker.postMessage(null)
    await ended
  }
}
