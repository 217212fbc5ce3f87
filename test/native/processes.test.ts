// The ends that could take a process down, each in a process of its own.
import { describe, expect, it, vi } from 'vitest'
import { type ChildResult, runChild } from './support/child.js'

// So long that only a hang reaches it, on however busy a machine.
vi.setConfig({ testTimeout: 600_000 })

function expectEnd(result: ChildResult, code: number): void {
  expect({ code: result.code, signal: result.signal, stderr: result.stderr }).toEqual({ code, signal: null, stderr: '' })
}

describe('process.exit()', () => {
  it.each([
    ['tune', 10],
    ['generate', 10],
    ['both', 3],
    ['load', 3],
    ['reallyExit', 10],
  ])('ends a process in mid-%s, %i times', async (work, times) => {
    for (let i = 0; i < times; i++) expectEnd(await runChild('exit.mjs', [work]), 3)
  })
})

describe('Workers', () => {
  it('are terminated in mid-tune and mid-generate, 100 of them', async () => {
    expectEnd(await runChild('workers.mjs', ['terminate', '100']), 0)
  })

  it('are terminated beside a run on the main thread, which goes on', async () => {
    expectEnd(await runChild('workers.mjs', ['terminate-beside', '5']), 0)
  })

  it('tune and generate beside the main thread, each with the same result', async () => {
    expectEnd(await runChild('workers.mjs', ['beside']), 0)
  })
})

describe('a callback that throws', () => {
  it('ends the process as any uncaught exception does', async () => {
    const result = await runChild('uncaught.mjs', ['unhandled'])
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('Error: from onSteps')
  })

  for (const thrown of ['error', 'null', 'undefined']) {
    it(`reaches the handler of uncaught exceptions, and the run goes on (${thrown})`, async () => {
      const result = await runChild('uncaught.mjs', [thrown])
      expectEnd(result, 0)
      expect(JSON.parse(result.stdout)).toEqual({ steps: 20, caught: true })
    })
  }
})

describe('a model that is not disposed of', () => {
  it('lets the process end when nothing is open, and not before', async () => {
    const result = await runChild('forgotten.mjs')
    expectEnd(result, 0)
    expect(result.stdout).toBe('made 4\n')
  })

  it.runIf(process.platform === 'linux')('gives its thread back to the collector', async () => {
    const result = await runChild('collected.mjs', [], ['--expose-gc'])
    expectEnd(result, 0)
    const { before, during, after } = JSON.parse(result.stdout)
    expect(during).toBeGreaterThan(before)
    expect(after).toBeLessThanOrEqual(before)
  })
})
