import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Mixture, makeExample, sentinelsNeeded, windowTokens } from '../../../src/objectives/objective.js'
import { prefixLm } from '../../../src/objectives/prefix-lm.js'
import { noiseMask, noiseOf, spanCorruption, spansWindow, T5_SPANS } from '../../../src/objectives/span-corruption.js'
import { CounterRandom, Purpose } from '../../../src/random.js'

const EOS = 1
const SENTINELS = Array.from({ length: 100 }, (_, i) => 31_999 - i)
const random = (index: number) => new CounterRandom(11, Purpose.objective, index)
const windowOf = (length: number) => Int32Array.from({ length }, (_, i) => 10 + i)

/** The chi-squared statistic of counts that should be equal. */
function chiSquared(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

describe('prefix LM', () => {
  test('the two parts are the window', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 200 }), fc.nat(), (length, index) => {
        const { input, target } = prefixLm(windowOf(length), random(index))
        expect(input.length).toBeGreaterThan(0)
        expect(target.length).toBeGreaterThan(0)
        expect([...input, ...target]).toEqual([...windowOf(length)])
      }),
    )
  })

  test('the split is uniform in [1, length - 1]', () => {
    const counts = new Array(20).fill(0)
    for (let i = 0; i < 20_000; i++) counts[prefixLm(windowOf(21), random(i)).input.length - 1] += 1
    // 19 degrees of freedom: above 43.8 in a run of a thousand
    expect(chiSquared(counts)).toBeLessThan(43.8)
  })
})

describe('span corruption', () => {
  test("T5's lengths: 568 tokens for inputs of 512, with targets of 114", () => {
    expect(spansWindow(512, T5_SPANS)).toEqual({ window: 568, targetLength: 114 })
    expect(noiseOf(568, T5_SPANS)).toEqual({ tokens: 85, spans: 28 })
  })

  test('halves are rounded to even, as in T5', () => {
    expect(noiseOf(30, T5_SPANS)).toEqual({ tokens: 4, spans: 1 }) // 4.5
    expect(noiseOf(10, T5_SPANS)).toEqual({ tokens: 2, spans: 1 }) // 1.5
    expect(noiseOf(100, { noiseDensity: 0.15, meanSpanLength: 6 })).toEqual({ tokens: 15, spans: 2 }) // 2.5
    expect(noiseOf(2, T5_SPANS)).toEqual({ tokens: 1, spans: 1 })
  })

  test('the spans put back give the text', () => {
    const lengths = fc.integer({ min: 2, max: 300 })
    const spans = fc.record({
      noiseDensity: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      meanSpanLength: fc.double({ min: 1, max: 10, noNaN: true }),
    })
    fc.assert(
      fc.property(lengths, spans, fc.nat(), (length, settings, index) => {
        const ids = Array.from({ length }, (_, i) => 100_000 + i) // sentinels of any number
        const { input, target } = spanCorruption(windowOf(length), random(index), ids, settings)
        expect(restored(input, target, ids)).toEqual([...windowOf(length)])
        const noise = noiseOf(length, settings)
        expect(input.length).toBe(length - noise.tokens + noise.spans)
        expect(target.length).toBe(noise.tokens + noise.spans)
        expect(input.filter((id) => id >= 100_000)).toEqual(Int32Array.from(ids.slice(0, noise.spans)))
      }),
    )
  })

  test('every token is as often noise as the others of its kind of place, and all segmentations are equally likely', () => {
    // 10 tokens with 4 of noise in 2 spans: 3 ways to cut the noise, 5 to cut the rest.
    const settings = { noiseDensity: 0.4, meanSpanLength: 2 }
    const counts = new Map<string, number>()
    for (let i = 0; i < 15_000; i++) {
      const mask = noiseMask(10, random(i), settings).join('')
      counts.set(mask, (counts.get(mask) ?? 0) + 1)
      expect(mask).toMatch(/^0+1+0+1+$/)
    }
    expect(counts.size).toBe(15)
    // 14 degrees of freedom: above 36.1 in a run of a thousand
    expect(chiSquared([...counts.values()])).toBeLessThan(36.1)
  })
})

/** The text that a corrupted input and its target stand for. */
function restored(input: Int32Array, target: Int32Array, sentinels: readonly number[]): number[] {
  const spans = new Map<number, number[]>()
  let span: number[] = []
  for (const id of target) {
    if (!sentinels.includes(id)) span.push(id)
    else {
      span = []
      spans.set(id, span)
    }
  }
  return [...input].flatMap((id) => spans.get(id) ?? [id])
}

describe('examples', () => {
  const mixture = (prefix: number): Mixture => ({
    ...{ shares: { 'prefix-lm': prefix, 'span-corruption': 1 - prefix }, spans: T5_SPANS },
    ...{ sentinels: SENTINELS, eosTokenId: EOS, seed: 3 },
  })

  test('example i of epoch e is a function of the seed, e and i', () => {
    const example = (seed: number, epoch: number, index: number) => makeExample({ ...mixture(0.5), seed }, windowOf(64), epoch, index)
    expect(example(3, 2, 5)).toEqual(example(3, 2, 5))
    const all = [example(3, 2, 5), example(4, 2, 5), example(3, 1, 5), example(3, 2, 6)]
    expect(new Set(all.map(({ input }) => input.join(' '))).size).toBe(4)
  })

  test('both parts end with one </s>, within the lengths promised', () => {
    for (const prefix of [0, 0.5, 1]) {
      const length = windowTokens(mixture(prefix), 128)
      const window = windowOf(length)
      window[length - 1] = EOS
      for (let i = 0; i < 200; i++) {
        const { input, target } = makeExample(mixture(prefix), window, 0, i)
        expect(input.length).toBeLessThanOrEqual(128)
        for (const ids of [input, target]) expect([ids.at(-1), ids.filter((id) => id === EOS).length]).toEqual([EOS, 1])
      }
    }
  })

  test('the shares are those of the mixture', () => {
    let spans = 0
    for (let i = 0; i < 4000; i++) if (makeExample(mixture(0.75), windowOf(40), 0, i).target[0]! > 1000) spans += 1
    // 1000 +- 5 standard deviations
    expect(Math.abs(spans - 1000)).toBeLessThan(137)
  })

  test('sentinels are needed for spans alone', () => {
    expect(sentinelsNeeded(mixture(1), 568)).toBe(0)
    expect(sentinelsNeeded(mixture(0), 568)).toBe(28)
  })
})
