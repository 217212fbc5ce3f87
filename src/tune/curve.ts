/** Numbers of every step of a run, under their names, in at most `POINTS` means of neighbouring steps. */
export class Curve<Name extends string> {
  static readonly POINTS = 500
  readonly #stride: number
  #points: CurvePoint<Name>[] = []
  #sums: Partial<Record<Name, number>> = {}
  #count = 0
  #step = 0

  constructor(steps: number) {
    this.#stride = Math.ceil(steps / Curve.POINTS)
  }

  add(step: number, values: Record<Name, number>): void {
    for (const name of Object.keys(values) as Name[]) this.#sums[name] = (this.#sums[name] ?? 0) + values[name]
    this.#count += 1
    this.#step = step
    if (step % this.#stride !== 0) return
    this.#points.push(this.#mean())
    this.#sums = {}
    this.#count = 0
  }

  /** Each at the last of its steps. */
  points(): CurvePoint<Name>[] {
    return this.#count > 0 ? [...this.#points, this.#mean()] : [...this.#points]
  }

  #mean(): CurvePoint<Name> {
    const means = Object.entries<number>(this.#sums as Record<Name, number>).map(([name, sum]) => [name, sum / this.#count])
    return { step: this.#step, ...Object.fromEntries(means) }
  }

  toJSON() {
    return { points: this.#points, sums: this.#sums, count: this.#count, step: this.#step }
  }

  restore(saved: ReturnType<Curve<Name>['toJSON']>): void {
    this.#points = saved.points
    this.#sums = saved.sums
    this.#count = saved.count
    this.#step = saved.step
  }
}

export type CurvePoint<Name extends string> = { step: number } & Record<Name, number>
