import { TimeSlice } from '../time-slice.js'
import type { EncodeOptions, Tokenizer } from './tokenizer.js'

export interface EncodeManyOptions extends EncodeOptions {
  signal?: AbortSignal
}

/** `encode` of each text, in order, without holding the event loop for more than a text or a few milliseconds at a time. */
export async function encodeMany(tokenizer: Tokenizer, texts: Iterable<string>, options: EncodeManyOptions = {}): Promise<Int32Array[]> {
  const { signal, ...encode } = options
  const slice = new TimeSlice()
  const rows: Int32Array[] = []
  for (const text of texts) {
    if (slice.spent) {
      await slice.pause()
      signal?.throwIfAborted()
    }
    rows.push(tokenizer.encode(text, encode))
  }
  return rows
}
