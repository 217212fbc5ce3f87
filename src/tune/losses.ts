/** Steps of a run of `steps` that are looked at together to see whether its loss keeps rising. */
export function watchWindow(steps: number): number {
  return Math.max(10, Math.ceil(steps / 50))
}

/** Watches for a loss that keeps rising: in two windows in a row over twice the lowest window's mean, and more than a nat above it. */
export class LossWatch {
  sum = 0
  count = 0
  lowest: number | null = null
  /** High windows in a row. */
  high = 0

  add(loss: number): void {
    this.sum += loss
    this.count += 1
  }

  /** Ends a window. */
  close(): { mean: number; isLowest: boolean; isRising: boolean } {
    const mean = this.sum / this.count
    const isLowest = this.lowest === null || mean < this.lowest
    if (isLowest) this.lowest = mean
    const lowest = this.lowest as number
    this.high = mean > 2 * lowest && mean > lowest + 1 ? this.high + 1 : 0
    this.sum = 0
    this.count = 0
    return { mean, isLowest, isRising: this.high >= 2 }
  }

  /** The run goes on from another prompt: what was seen lately does not count. */
  forget(): void {
    this.sum = 0
    this.count = 0
    this.high = 0
  }
}
