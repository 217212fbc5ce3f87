import type { SoftPrompt } from '../prompt.js'
import { EventLog, type TuneEvent } from './events.js'
import type { TuneReport } from './report.js'

export interface RunResult {
  /** The task that it is of, where `prompt.tasks` was given. */
  task?: string
  /** The best prompt by the run's bestMetric where there is validation data, else the last. */
  prompt: SoftPrompt
  report: TuneReport
}

/** Of the best run: by bestMetric where there is validation data, else by the training loss of its last tenth; of equal ones the first. Of tasks, it is the first. */
export interface TuneResult extends RunResult {
  /** Every run, in the order of the option `runs` (or of `prompt.tasks`); one where neither was given. */
  runs: RunResult[]
}

/** What a run does: it tells events, and stops with `signal.reason` when that aborts. */
export type TuneWork = (tell: (event: TuneEvent) => void, signal: AbortSignal) => Promise<TuneResult>

/**
 * A tuning run that is under way. Iterate over it for its events; `result` tells how it ended.
 *
 * The events end when the run does, however it ends: a failure or an abort is told by `result` alone. Breaking out of the loop stops the events and not the
 * run. Events that nobody reads are dropped, oldest first. A `result` that rejects and is never read is an unhandled rejection, as usual; while a loop over
 * the events goes on, that is decided when it ends, so that `result` can be read after the loop.
 */
export class TuneRun implements AsyncIterable<TuneEvent> {
  readonly #log = new EventLog<TuneEvent>()
  readonly #stop = new AbortController()
  readonly #result: Promise<TuneResult>
  #resultRead = false
  #readers = 0
  #failure: { error: unknown } | undefined

  constructor(work: TuneWork) {
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
   * an object, its `partial` holds `{ prompt, report }` of what was learned until then.
   */
  get result(): Promise<TuneResult> {
    this.#resultRead = true
    return this.#result
  }

  /** Stops the run: `result` rejects with `reason` (an AbortError if there is none). Does nothing once the run is over. */
  abort(reason?: unknown): void {
    this.#stop.abort(reason)
  }

  [Symbol.asyncIterator](): AsyncIterator<TuneEvent, void, undefined> {
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
