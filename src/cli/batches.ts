import { setImmediate } from 'node:timers/promises'

/**
 * What has arrived of `items`, at most `size` at a time: full batches of a fast source (a file), single items of a slow one (a person). The source waits
 * while a batch is being worked on.
 */
export async function* batches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[], void, undefined> {
  const iterator = items[Symbol.asyncIterator]()
  let batch: T[] = []
  let next = iterator.next()
  while (true) {
    const arrived = batch.length === 0 ? await next : await Promise.race([next, setImmediate(undefined)])
    if (arrived && !arrived.done) {
      batch.push(arrived.value)
      next = iterator.next()
    }
    if (batch.length > 0 && (!arrived || arrived.done || batch.length === size)) {
      yield batch
      batch = []
    }
    if (arrived?.done) return
  }
}
