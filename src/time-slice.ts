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

/** `rows.map(each)`, politely; the rows are taken as they are at the call. */
export async function mapInSlices<T, R>(rows: readonly T[], each: (row: T, index: number) => R): Promise<R[]> {
  const slice = new TimeSlice()
  const results: R[] = []
  for (const [index, row] of [...rows].entries()) {
    if (slice.spent) await slice.pause()
    results.push(each(row, index))
  }
  return results
}
