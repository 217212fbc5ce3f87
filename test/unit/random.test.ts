import { expect, test } from 'vitest'
import { CounterRandom, Purpose, philox } from '../../src/random.js'
import { Order } from '../../src/train/order.js'

// The known answers that come with Random123 for philox4x32-10, as test/core/random_test.cc has them.
test.each([
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const)('philox4x32-10 of %j', (counter, [key0, key1], expected) => {
  expect(philox([...counter], key0, key1)).toEqual([...expected])
})

test('a stream is a function of seed, purpose and index, all bits of which count', () => {
  const draws = (seed: number, index: number) => new CounterRandom(seed, Purpose.objective, index).uniform(5)
  expect(draws(1, 2)).toBe(draws(1, 2))
  const different = new Set([draws(1, 2), draws(2, 2), draws(1, 3), draws(1 + 2 ** 40, 2), draws(1, 2 + 2 ** 40)])
  expect(different.size).toBe(5)
  expect(new CounterRandom(1, Purpose.heldOut, 2).uniform(5)).not.toBe(draws(1, 2))
})

test('uniform numbers are in [0, 1) and even', () => {
  const random = new CounterRandom(3, Purpose.objective)
  const counts = new Array(10).fill(0)
  for (let i = 0; i < 10_000; i++) counts[random.below(10, i)] += 1
  // 1000 +- 5 standard deviations
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

test('an order takes each row once an epoch, in another order each time', () => {
  const order = new Order(50, 7, true)
  const epochs = [0, 1].map((epoch) => Array.from({ length: 50 }, (_, i) => order.at(50 * epoch + i)))
  for (const [epoch, rows] of epochs.entries()) {
    expect(rows.every((at) => at.epoch === epoch)).toBe(true)
    expect(new Set(rows.map(({ row }) => row)).size).toBe(50)
  }
  expect(epochs[0]!.map(({ row }) => row)).not.toEqual(epochs[1]!.map(({ row }) => row))
  expect(new Order(50, 7, true).at(73)).toEqual(order.at(73))
  expect(new Order(50, 7, false).at(73)).toEqual({ epoch: 1, row: 23 })
})
