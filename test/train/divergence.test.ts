import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FinetuneOptions, FinetuneResult } from '../../src/index.js'
import { collect, failure, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { scoresOf, TINY_FINETUNE, tiny } from './helpers.js'

const folder = temporaryFolder()
const t5 = await tiny()

/** An update of this size is no float32, nor is one of a thousandth of it: the step after it diverges. */
const exploding = { ...TINY_FINETUNE, steps: 50, optimizer: { name: 'adamw', learningRate: 1e60 } } satisfies FinetuneOptions

describe('numbers that are not finite', () => {
  test('fail the call, unless it is told otherwise', async () => {
    const error = await failure(t5.finetune(exploding).result)
    expect(error).toMatchObject({ code: 'TUNE_DIVERGED', message: expect.stringMatching(/at step 2 .*try a learning rate a tenth/) })
    await (error.partial as FinetuneResult).model.dispose()
  })

  test("'stop': the weights are those that were best, here the first", async () => {
    const run = t5.finetune({ ...exploding, onDivergence: 'stop' })
    const events = await collect(run)
    const { model, report } = await run.result
    expect(report).toMatchObject({ steps: 1, bestStep: 0, stopped: 'diverged', history: [] })
    expect(report.divergences).toEqual([{ step: 1, rateFactor: null, what: expect.stringContaining('try a learning rate') }])
    expect(events.at(-1)).toEqual({ type: 'end', step: 1, bestStep: 0, reason: 'diverged' })
    expect(await scoresOf(model)).toEqual(await scoresOf(t5))
    await model.dispose()
  })

  test("'lowerRate' goes back three times, each time at a tenth of the rate, and goes on from a checkpoint", async () => {
    const options = { ...exploding, onDivergence: 'lowerRate' } satisfies FinetuneOptions
    const whole = await t5.finetune(options).result
    expect(whole.report).toMatchObject({ steps: 4, bestStep: 0, stopped: 'diverged' })
    const factors = whole.report.divergences.map(({ rateFactor }) => rateFactor)
    expect(factors.map((factor) => factor && Math.log10(factor))).toEqual([-1, -2, -3, null].map((x) => x && expect.closeTo(x, 10)))
    expect(await scoresOf(whole.model)).toEqual(await scoresOf(t5))

    const checkpoint = { path: join(folder, 'lower.ckpt'), every: 1 }
    const first = t5.finetune({ ...options, checkpoint })
    for await (const event of first) if (event.type === 'step' && event.step === 3) first.abort(new Error('stop'))
    await ((await failure(first.result)).partial as FinetuneResult).model.dispose()
    const resumed = await t5.finetune({ ...options, checkpoint, resume: true }).result
    expect(resumed.report.divergences).toEqual(whole.report.divergences)
    expect(resumed.model.fingerprint).toBe(whole.model.fingerprint)
    await Promise.all([whole.model.dispose(), resumed.model.dispose()])
  })
})

test("a loss that keeps rising: 'lowerRate' goes back to the best weights, and learns from there", async () => {
  const rising = { ...TINY_FINETUNE, steps: 100, dropout: 0, optimizer: { name: 'adamw', learningRate: 5, warmupSteps: 100 } as const }
  const { model, report } = await t5.finetune({ ...rising, validation: TINY_EXAMPLES, onDivergence: 'lowerRate' }).result
  expect(report.stopped).toBe('steps')
  expect(report.divergences[0]).toMatchObject({ rateFactor: 0.1, what: expect.stringMatching(/loss keeps rising/) })
  const lossAt = (step: number) => report.losses.find((point) => point.step === step)!.loss
  expect(lossAt(100)).toBeLessThan(lossAt(1))
  await model.dispose()
})

test('a moving average is what is evaluated and handed out, and training goes on without it', async () => {
  const options = (averageDecay: number): FinetuneOptions => ({
    ...{ ...TINY_FINETUNE, steps: 8, dropout: 0, validation: TINY_EXAMPLES, evaluateEvery: 4 },
    optimizer: { name: 'adamw', learningRate: 0.01, averageDecay },
  })
  const plain = await t5.finetune(options(0)).result
  const averaged = await t5.finetune(options(0.9)).result
  expect(averaged.report.losses.map(({ loss }) => loss)).toEqual(plain.report.losses.map(({ loss }) => loss))
  expect(averaged.model.fingerprint).not.toBe(plain.model.fingerprint)
  expect(averaged.report.options.optimizer).toMatchObject({ averageDecay: 0.9 })
  await Promise.all([plain.model.dispose(), averaged.model.dispose()])
})
