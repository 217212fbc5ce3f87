import { createHash } from 'node:crypto'
import { DataError } from '../errors.js'
import { CounterRandom, Purpose } from '../random.js'
import { Order } from '../train/order.js'
import { readText } from './read.js'
import type { ResolvedText } from './source.js'
import { Packer, type PackOptions, type TextCounts } from './windows.js'

/** A window, and what it is known by: the pass over the text that it is of, and its place in the text. */
export interface Window {
  tokens: Int32Array
  epoch: number
  index: number
}

/** Windows in the order in which they are learned from, which depends on the seed alone. */
export interface Corpus {
  /** What is known of the text as yet. */
  readonly counts: TextCounts
  /** All there are; undefined for what is read as it is needed. */
  readonly size: number | undefined
  /** The next ones; fewer where the text is at its end and cannot be read again. */
  take(count: number): Promise<Window[]>
  /** Of all tokens taken until now. */
  digest(): string
  /** Lets go of open files. */
  close?(): void
}

export interface CorpusOptions extends PackOptions {
  seed: number
  shuffle: boolean
  /** Windows among which the next is drawn, of a text that is not held in memory. */
  shuffleBuffer: number
}

/** Reads a text whole, as windows in the text's order. Rejects with DATA_EMPTY, or DATA_TEXT_SHORT where it fills none. */
export async function readWindows(
  source: ResolvedText,
  options: PackOptions,
  name: string,
): Promise<{ windows: Int32Array[]; counts: TextCounts }> {
  const packer = new Packer(options)
  const windows: Int32Array[] = []
  for await (const window of packer.windows(readText(source, options.signal))) windows.push(window)
  if (windows.length === 0) throw tooShort(packer.counts, options.length, name)
  return { windows, counts: packer.counts }
}

export function tooShort({ documents, tokens }: TextCounts, length: number, name: string): DataError {
  if (documents === 0) return new DataError('DATA_EMPTY', `The ${name} text is empty. Give at least a window of ${length} tokens.`)
  const found = `${documents} document${documents === 1 ? '' : 's'} of ${tokens} tokens together`
  return new DataError(
    'DATA_TEXT_SHORT',
    `The ${name} text has ${found}, but a window is ${length} tokens long. Give more text, or a smaller windowLength.`,
  )
}

abstract class Digested {
  readonly #hash = createHash('sha256')

  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  protected taken(window: Window): Window {
    const { buffer, byteOffset, byteLength } = window.tokens
    this.#hash.update(new Uint8Array(buffer, byteOffset, byteLength))
    return window
  }
}

/** Windows that are all held in memory, anew shuffled in each epoch. */
export class WholeCorpus extends Digested implements Corpus {
  readonly #order: Order
  #position = 0

  constructor(
    private readonly windows: readonly Int32Array[],
    readonly counts: TextCounts,
    { seed, shuffle }: Pick<CorpusOptions, 'seed' | 'shuffle'>,
  ) {
    super()
    this.#order = new Order(windows.length, seed, shuffle)
  }

  get size(): number {
    return this.windows.length
  }

  async take(count: number): Promise<Window[]> {
    return Array.from({ length: count }, () => {
      const { epoch, row: index } = this.#order.at(this.#position++)
      return this.taken({ tokens: this.windows[index] as Int32Array, epoch, index })
    })
  }
}

/** Windows that are made as they are needed, shuffled in a buffer; of a text that may be larger than memory. */
export class StreamedCorpus extends Digested implements Corpus {
  readonly size = undefined
  #epoch = 0
  #packer: Packer
  #windows: AsyncGenerator<Window>
  /** Of all epochs. */
  #before: TextCounts = { documents: 0, tokens: 0, unknownTokens: 0 }

  constructor(
    private readonly source: ResolvedText,
    private readonly options: CorpusOptions,
  ) {
    super()
    this.#packer = new Packer(options)
    this.#windows = this.#shuffled()
  }

  get counts(): TextCounts {
    const { documents, tokens, unknownTokens } = this.#packer.counts
    const before = this.#before
    return {
      documents: before.documents + documents,
      tokens: before.tokens + tokens,
      unknownTokens: before.unknownTokens + unknownTokens,
    }
  }

  async take(count: number): Promise<Window[]> {
    const taken: Window[] = []
    while (taken.length < count) {
      const { value, done } = await this.#windows.next()
      if (!done) taken.push(this.taken(value))
      else if (!this.source.repeatable) break
      else this.#again()
    }
    return taken
  }

  close(): void {
    this.#windows.return(undefined).catch(() => {})
  }

  #again(): void {
    this.#before = this.counts
    this.#epoch += 1
    this.#packer = new Packer(this.options)
    this.#windows = this.#shuffled()
  }

  /** The windows of an epoch, each drawn from those in the buffer, whose place the next one takes. */
  async *#shuffled(): AsyncGenerator<Window> {
    const { seed, shuffle, shuffleBuffer, signal } = this.options
    const epoch = this.#epoch
    const random = new CounterRandom(seed, Purpose.buffer, epoch)
    const buffer: Window[] = []
    let index = 0
    let drawn = 0
    const draw = () => {
      const at = random.below(buffer.length, drawn++)
      const window = buffer[at] as Window
      const last = buffer.pop() as Window
      if (at < buffer.length) buffer[at] = last
      return window
    }
    for await (const tokens of this.#packer.windows(readText(this.source, signal))) {
      buffer.push({ tokens, epoch, index: index++ })
      if (buffer.length >= (shuffle ? shuffleBuffer : 1)) yield draw()
    }
    if (index === 0) throw tooShort(this.#packer.counts, this.options.length, 'training')
    while (buffer.length > 0) yield draw()
  }
}
