// The ends that could take a process down, each in a process of its own.
import { describe, expect, it, vi } from 'vitest'
import { type ChildResult, runChild } from './support/child.js'

// So long that only a hang reaches it, on however busy a machine.
vi.setConfig({ testTimeout: 600_000 })

function expectEnd(result: ChildResult, code: number): void {
  expect({ code: result.code, signal: result.signal, stderr: result.stderr }).toEqual({ code, signal: null, stderr: '' })
}

/** How many times as often as in the CI: SOFTPROMPT_STRESS=10 ends 1,000 Workers and 360 processes in the middle of native calls. */
const STRESS = Number(process.env.SOFTPROMPT_STRESS ?? 1)

const CALLS = ['tune', 'finetune', 'adapt', 'stream', 'generate', 'evaluate', 'score', 'classify', 'gradient', 'explain']

describe('process.exit()', () => {
  it.each([
    ['tune', 10],
    ['generate', 10],
    ['both', 3],
    ['load', 3],
    ['reallyExit', 10],
  ])('ends a process in mid-%s, %i times', async (work, times) => {
    for (let i = 0; i < times * STRESS; i++) expectEnd(await runChild('exit.mjs', [work]), 3)
  })

  it.each(CALLS)("ends a process in the middle of the API's %s", async (call) => {
    for (let i = 0; i < STRESS; i++) expectEnd(await runChild('calls.mjs', ['exit', call]), 3)
  })
})

describe('Workers', () => {
  it('are terminated in mid-tune and mid-generate, 100 of them', async () => {
    expectEnd(await runChild('workers.mjs', ['terminate', String(100 * STRESS)]), 0)
  })

  it.each(CALLS)("are terminated in the middle of the API's %s", async (call) => {
    expectEnd(await runChild('calls.mjs', ['terminate', call, String(2 * STRESS)]), 0)
  })

  it('are terminated beside a run on the main thread, which goes on', async () => {
    expectEnd(await runChild('workers.mjs', ['terminate-beside', '5']), 0)
  })

  it('tune and generate beside the main thread, each with the same result', async () => {
    expectEnd(await runChild('workers.mjs', ['beside']), 0)
  })
})

describe('dispose', () => {
  it.each(CALLS.filter((call) => call !== 'finetune' && call !== 'adapt'))(
    'in the middle of %s, as other calls begin, ends them all',
    async (call) => {
      const result = await runChild('calls.mjs', ['dispose', call])
      expectEnd(result, 0)
      expect(JSON.parse(result.stdout)).toEqual(Array(5).fill('MODEL_DISPOSED'))
    },
  )
})

describe('what the user gave throws', () => {
  it.each(['metric', 'stream', 'tune', 'adapt'])('in %s: the call rejects with it, and the model goes on', async (where) => {
    const result = await runChild('calls.mjs', ['throw', where])
    expectEnd(result, 0)
    expect(JSON.parse(result.stdout)).toEqual({ rejected: true, uncaught: false, answers: true })
  })

  it('in the progress of loading: an uncaught exception, and the model is loaded', async () => {
    const result = await runChild('calls.mjs', ['throw', 'progress'])
    expectEnd(result, 0)
    expect(JSON.parse(result.stdout)).toEqual({ uncaught: true, answers: true })
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
