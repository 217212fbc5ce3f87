/** What all calls of the native module are made of. */

/** Rows of token ids of unequal length: row i is `ids[offsets[i] .. offsets[i + 1])`; `offsets` has rows + 1 entries. */
export interface TokenRows {
  ids: Int32Array
  offsets: Int32Array
}

/** A prompt as it crosses: float32, row-major, `rows` x `dModel`. */
export interface NativePromptRows {
  data: Float32Array
  rows: number
  dModel: number
}

/** Work on a compute thread. `cancel()` makes `promise` reject with code `CANCELLED` at the next yield point; late or repeated calls do nothing. */
export interface NativeJob<T> {
  promise: Promise<T>
  cancel(): void
}
