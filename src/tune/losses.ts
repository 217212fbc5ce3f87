/** The losses of a run in at most `POINTS` means of neighbouring steps. */
export class LossCurve {
  static readonly POINTS = 500
  readonly #stride: number
  #points: { step: number; loss: number }[] = []
  #sum = 0
  #count = 0
  #step = 0

  constructor(steps: number) {
    this.#stride = Math.ceil(steps / LossCurve.POINTS)
  }

  add({ step, loss }: { step: number; loss: number }): void {
    this.#sum += loss
    this.#count += 1
    this.#step = step
    if (step % this.#stride !== 0) return
    this.#points.push(this.#mean())
    this.#sum = 0
    this.#count = 0
  }

  points(): { step: number; loss: number }[] {
    return this.#count > 0 ? [...this.#points, this.#mean()] : [...this.#points]
  }

  #mean(): { step: number; loss: number } {
    return { step: this.#step, loss: this.#sum / this.#count }
  }

  toJSON() {
    return { points: this.#points, sum: this.#sum, count: this.#count, step: this.#step }
  }

  restore(saved: ReturnType<LossCurve['toJSON']>): void {
    this.#points = saved.points
    this.#sum = saved.sum
    this.#count = saved.count
    this.#step = saved.step
  }
}

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
