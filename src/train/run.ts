import { EventLog } from '../tune/events.js'

/** What a run does: it tells events, and stops with `signal.reason` when that aborts. */
export type RunWork<Event, Result> = (tell: (event: Event) => void, signal: AbortSignal) => Promise<Result>

/**
 * A training run that is under way. Iterate over it for its events; `result` tells how it ended.
 *
 * The events end when the run does, however it ends: a failure or an abort is told by `result` alone. Breaking out of the loop stops the events and not the
 * run. Events that nobody reads are dropped, oldest first. A `result` that rejects and is never read is an unhandled rejection, as usual; while a loop over
 * the events goes on, that is decided when it ends, so that `result` can be read after the loop.
 */
export class TrainingRun<Event, Result> implements AsyncIterable<Event> {
  readonly #log = new EventLog<Event>()
  readonly #stop = new AbortController()
  readonly #result: Promise<Result>
  #resultRead = false
  #readers = 0
  #failure: { error: unknown } | undefined

  /** @internal */
  constructor(work: RunWork<Event, Result>) {
    this.#result = new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        if (this.#readers > 0) this.#holdBack(error)
        reject(error)
        this.#log.end()
      }
      work((event) => this.#log.push(event), this.#stop.signal).then((result) => {
        resolve(result)
        this.#log.end()
      }, fail)
    })
  }

  /**
   * Settles when the run is over. After an abort it rejects with the signal's reason; where the run had begun and the reason (or the error that ended it) is
   * an object, its `partial` holds the result of what was learned until then.
   */
  get result(): Promise<Result> {
    this.#resultRead = true
    return this.#result
  }

  /** Stops the run: `result` rejects with `reason` (an AbortError if there is none). Does nothing once the run is over. */
  abort(reason?: unknown): void {
    this.#stop.abort(reason)
  }

  /** The events, from the oldest that is kept on. Any number of loops may read them, each at a pace of its own. */
  [Symbol.asyncIterator](): AsyncIterator<Event, void, undefined> {
    return this.#log.read({
      opened: () => {
        this.#readers += 1
      },
      closed: () => {
        this.#readers -= 1
        if (this.#readers === 0) this.#release()
      },
    })
  }

  // A loop over the events may be busy with one of them when the run fails, and read `result` after it.
  #holdBack(error: unknown): void {
    this.#failure = { error }
    this.#result.catch(() => {})
  }

  #release(): void {
    const failure = this.#failure
    this.#failure = undefined
    // After the code behind the loop had its turn: nobody asked for the result, so its rejection is unhandled after all.
    if (failure) setImmediate(() => !this.#resultRead && Promise.reject(failure.error))
  }
}
