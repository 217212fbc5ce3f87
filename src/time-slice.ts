import { setImmediate } from 'node:timers/promises'

/** Keeps long work on the main thread polite: after each `budget` milliseconds of it, whatever else waits in the event loop gets its turn. */
export class TimeSlice {
  private started = performance.now()

  constructor(private readonly budget = 5) {}

  get spent(): boolean {
    return performance.now() - this.started >= this.budget
  }

  async pause(): Promise<void> {
    await setImmediate()
    this.started = performance.now()
  }
}
