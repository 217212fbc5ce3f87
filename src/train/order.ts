import { CounterRandom, Purpose } from '../random.js'

/** In which order rows are learned from: in each epoch a permutation by (seed, epoch), as `tune` has it (`binding/core/train/batch.h`). */
export class Order {
  #epoch = -1
  #permutation: Uint32Array | undefined

  constructor(
    private readonly rows: number,
    private readonly seed: number,
    private readonly shuffle: boolean,
  ) {}

  /** The row at a position of the sequence of all epochs, counted from 0. */
  at(position: number): { epoch: number; row: number } {
    const epoch = Math.floor(position / this.rows)
    const place = position % this.rows
    if (!this.shuffle) return { epoch, row: place }
    if (epoch !== this.#epoch) {
      this.#permutation = new CounterRandom(this.seed, Purpose.shuffle, epoch).permutation(this.rows)
      this.#epoch = epoch
    }
    return { epoch, row: this.#permutation![place] as number }
  }
}
