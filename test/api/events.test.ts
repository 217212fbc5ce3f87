import { describe, expect, test } from 'vitest'
import { EventLog } from '../../src/tune/events.js'

const quiet = { opened() {}, closed() {} }

async function readAll(log: EventLog<number>): Promise<number[]> {
  const all: number[] = []
  for await (const event of log.read(quiet)) all.push(event)
  return all
}

describe('EventLog', () => {
  test('gives what came before and what comes later, then ends', async () => {
    const log = new EventLog<number>()
    log.push(1)
    const reading = readAll(log)
    await Promise.resolve()
    log.push(2)
    log.push(3)
    log.end()
    expect(await reading).toEqual([1, 2, 3])
    expect(await readAll(log)).toEqual([1, 2, 3])
  })

  test('drops the oldest', async () => {
    const log = new EventLog<number>(10)
    for (let i = 0; i < 1000; i++) log.push(i)
    log.end()
    expect(await readAll(log)).toEqual([990, 991, 992, 993, 994, 995, 996, 997, 998, 999])
  })

  test('a slow reader misses events and goes on with the oldest that is left', async () => {
    const log = new EventLog<number>(4)
    log.push(0)
    const reader = log.read(quiet)
    expect((await reader.next()).value).toBe(0)
    for (let i = 1; i <= 20; i++) log.push(i)
    expect((await reader.next()).value).toBe(17)
  })

  test('readers do not take from each other; one that leaves is counted out once', async () => {
    const log = new EventLog<number>()
    let readers = 0
    const counted = { opened: () => void readers++, closed: () => void readers-- }
    log.push(1)
    log.push(2)
    for await (const event of log.read(counted)) {
      expect(event).toBe(1)
      expect(readers).toBe(1)
      break
    }
    expect(readers).toBe(0)
    log.end()
    expect(await readAll(log)).toEqual([1, 2])
  })
})
