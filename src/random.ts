/**
 * Random numbers as a function of (seed, stream, counter): Philox 4x32-10 (Salmon et al. 2011), the same numbers as the native module's
 * (`binding/core/runtime/random.h`). None depends on what was drawn before, so that a resumed run draws what it would have drawn.
 */
export class CounterRandom {
  readonly #key0: number
  readonly #key1: number
  readonly #stream0: number
  readonly #stream1: number

  /** `seed` in [0, 2^53); `index` numbers the streams of a purpose, in [0, 2^53). */
  constructor(seed: number, purpose: Purpose, index = 0) {
    this.#key0 = low(seed)
    this.#key1 = high(seed)
    this.#stream0 = low(index)
    this.#stream1 = ((purpose << 24) | high(index)) >>> 0
  }

  /** Four words of 32 bits. */
  block(counter: number): [number, number, number, number] {
    return philox([low(counter), high(counter), this.#stream0, this.#stream1], this.#key0, this.#key1)
  }

  /** In [0, 1), 53 bits. */
  uniform(counter: number): number {
    const [first, second] = this.block(counter)
    return (first * 2 ** 21 + (second >>> 11)) * 2 ** -53
  }

  /** An integer in [0, n). */
  below(n: number, counter: number): number {
    return Math.floor(this.uniform(counter) * n)
  }

  /** 0 to n - 1 in some order (Fisher and Yates), from the numbers `first` to `first + n - 1`. */
  permutation(n: number, first = 0): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1, first + i)
      const kept = order[i] as number
      order[i] = order[j] as number
      order[j] = kept
    }
    return order
  }
}

/** What numbers are drawn for. Each purpose has its own streams; 1 to 4 are those of the native module. */
export const Purpose = { shuffle: 1, objective: 16, heldOut: 17, buffer: 18 } as const
export type Purpose = (typeof Purpose)[keyof typeof Purpose]

type Words = [number, number, number, number]

const ROUNDS = 10
const [MULTIPLIER_0, MULTIPLIER_1] = [0xd2511f53, 0xcd9e8d57]
const [WEYL_0, WEYL_1] = [0x9e3779b9, 0xbb67ae85]

/** Exported for the test of its known answers. */
export function philox(counter: Words, key0: number, key1: number): Words {
  let [a, b, c, d] = counter
  for (let round = 0; round < ROUNDS; round++) {
    const [high0, low0] = [highProduct(MULTIPLIER_0, a), Math.imul(MULTIPLIER_0, a) >>> 0]
    const [high1, low1] = [highProduct(MULTIPLIER_1, c), Math.imul(MULTIPLIER_1, c) >>> 0]
    a = (high1 ^ b ^ key0) >>> 0
    b = low1
    c = (high0 ^ d ^ key1) >>> 0
    d = low0
    key0 = (key0 + WEYL_0) >>> 0
    key1 = (key1 + WEYL_1) >>> 0
  }
  return [a, b, c, d]
}

/** The upper 32 bits of the product of two words. */
function highProduct(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16]
  const middle = a1 * b0 + ((a0 * b0) >>> 16)
  const other = a0 * b1 + (middle & 0xffff)
  return a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)
}

function low(value: number): number {
  return value >>> 0
}

function high(value: number): number {
  return Math.floor(value / 2 ** 32)
}
