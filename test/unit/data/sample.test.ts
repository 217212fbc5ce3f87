import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { readExamples } from '../../../src/data/index.js'
import { Sample } from '../../../src/data/sample.js'

const folder = mkdtempSync(join(tmpdir(), 'softprompt-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a sample', () => {
  test('is of its size, in order, without repeats, and the same each time', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 1, max: 50 }), (count, size) => {
        const draw = () => {
          const sample = new Sample<number>(size)
          for (let i = 0; i < count; i++) sample.add(i)
          return sample.entries()
        }
        const drawn = draw()
        expect(drawn).toHaveLength(Math.min(count, size))
        expect(drawn).toEqual([...new Set(drawn)].sort((a, b) => a - b))
        for (const entry of drawn) expect(entry).toBeLessThan(count)
        expect(draw()).toEqual(drawn)
      }),
    )
  })

  test('takes from the whole stream alike', () => {
    const sample = new Sample<number>(2000)
    for (let i = 0; i < 20_000; i++) sample.add(i)
    const tenths = Array.from({ length: 10 }, () => 0)
    for (const entry of sample.entries()) tenths[Math.floor(entry / 2000)]! += 1
    // 200 each, with a deviation of 13.
    for (const count of tenths) expect(Math.abs(count - 200)).toBeLessThan(60)
  })

  test('of a stream that is never held as a whole', async () => {
    let alive = 0
    let most = 0
    const registry = new FinalizationRegistry(() => {
      alive -= 1
    })
    async function* rows() {
      for (let i = 0; i < 50_000; i++) {
        const row = { input: `row ${i}`, target: 'x', padding: 'p'.repeat(2000) + i }
        registry.register(row, i)
        alive += 1
        most = Math.max(most, alive)
        yield row
        // The registry is told of what was collected between turns of the event loop alone.
        if (i % 1000 === 0) await setImmediate()
      }
    }
    const { examples } = await readExamples({ rows: rows(), sample: 100 })
    expect(examples).toHaveLength(100)
    expect(most).toBeLessThan(50_000)
  })

  test('names rows by their places in the file, and checks every row', async () => {
    const path = join(folder, 'rows.csv')
    writeFileSync(path, `input,target\n${Array.from({ length: 100 }, (_, i) => `${i + 2},x`).join('\n')}\n`)
    const { examples, describe: name, fields } = await readExamples({ path, sample: 7 })
    expect(examples).toHaveLength(7)
    examples.forEach(({ input }, i) => {
      expect(name(i)).toBe(`${path}, line ${input}`)
      expect(fields(i).input).toBe(input)
    })
    const rows = Array.from({ length: 50 }, (_, i) => ({ input: 'a', target: i === 43 ? '' : 'b' }))
    await expect(readExamples({ rows, sample: 1 })).rejects.toMatchObject({
      code: 'DATA_TARGET_EMPTY',
      message: expect.stringContaining('Row 43'),
    })
  })

  test.each([0, 2.5, Number.NaN])('of %s rows is refused', async (sample) => {
    await expect(readExamples({ rows: [], sample })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining("'sample'"),
    })
  })
})
