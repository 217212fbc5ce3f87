import { randomNumbers } from './random.js'

/**
 * Keeps at most `size` of the entries that pass by, whatever their number: every such set is as likely as another (Vitter 1985, algorithm R), and the same
 * entries give the same set.
 */
export class Sample<T> {
  readonly #random = randomNumbers(0)
  #kept: { place: number; entry: T }[] = []
  #seen = 0

  /** Without a size all are kept. */
  constructor(private readonly size = Infinity) {}

  get seen(): number {
    return this.#seen
  }

  add(entry: T): void {
    const place = this.#seen++
    if (this.#kept.length < this.size) {
      this.#kept.push({ place, entry })
      return
    }
    const at = Math.floor(this.#random() * this.#seen)
    if (at < this.size) this.#kept[at] = { place, entry }
  }

  /** In the order in which they came. */
  entries(): T[] {
    return this.#kept.sort((a, b) => a.place - b.place).map(({ entry }) => entry)
  }
}
