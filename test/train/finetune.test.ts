import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Example, type FinetuneEvent, type FinetuneResult, T5 } from '../../src/index.js'
import { failure, load, NANO, snips, TINY, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { scoresOf, TINY_FINETUNE, tiny } from './helpers.js'

const folder = temporaryFolder()

test('a model learns a toy task, and the one it was made from stays as it was', async () => {
  const t5 = await tiny()
  const [digest, before] = [await t5.digest(), await scoresOf(t5)]
  const run = t5.finetune({ ...TINY_FINETUNE, validation: TINY_EXAMPLES, steps: 60, learningRate: 0.02, dropout: 0, evaluateEvery: 20 })
  const events: FinetuneEvent[] = []
  for await (const event of run) events.push(event)
  const { model, report } = await run.result
  expect(report.metrics.accuracy).toBe(1)
  expect(report.losses.at(-1)!.loss).toBeLessThan(0.2 * report.losses[0]!.loss)
  const { metrics } = await model.evaluate({ data: TINY_EXAMPLES })
  expect(metrics.accuracy).toBe(1)
  expect([await t5.digest(), await scoresOf(t5)]).toEqual([digest, before])
  expect(model.fingerprint).not.toBe(t5.fingerprint)
  expect(report.base.fingerprint).toBe(t5.fingerprint)

  const types = events.map(({ type }) => type)
  expect([types[0], types.at(-1)]).toEqual(['start', 'end'])
  expect(types.filter((type) => type === 'step')).toHaveLength(60)
  expect(types.filter((type) => type === 'evaluation')).toHaveLength(3)
  expect(events[0]).toMatchObject({ parameters: t5.info.parameterCount, resumedFrom: 0, data: { train: { examples: 6 } } })
  expect(JSON.parse(JSON.stringify([events, report]))).toEqual([events, report])
  expect(report.options).toMatchObject({ optimizer: { name: 'adafactor', learningRate: 0.02, parameterScaling: true }, dropout: 0 })
  expect(report.tokens).toBe(60 * 3 * (4 + 2))
  await model.dispose()
})

test('the same seed gives the same weights to the bit, another seed others', async () => {
  const t5 = await tiny()
  const fingerprint = async (seed: number) => {
    const { model } = await t5.finetune({ ...TINY_FINETUNE, dropout: 0.1, seed }).result
    await model.dispose()
    return model.fingerprint
  }
  const first = await fingerprint(1)
  expect(await fingerprint(1)).toBe(first)
  expect(await fingerprint(2)).not.toBe(first)
})

test('what is saved loads with the same outputs and fingerprint', async () => {
  const t5 = await load(NANO)
  const { model } = await t5.finetune({ train: snips('train', 8), steps: 2, batchSize: 4, seed: 1 }).result
  const path = join(folder, 'saved')
  await model.save(path)
  const again = await load(path)
  expect(again.fingerprint).toBe(model.fingerprint)
  const rows = snips('test', 3)
  expect(await again.score(rows)).toEqual(await model.score(rows))
  expect(await again.generate('play some jazz', { maxNewTokens: 8 })).toEqual(await model.generate('play some jazz', { maxNewTokens: 8 }))
  await model.save(path, { dtype: 'bfloat16' }) // in the place of the other
  expect((await load(path)).config.dtype).toBe('bfloat16')
  await model.dispose()
})

test('a copy that computes in bfloat16 is, once saved and loaded so, the same model', async () => {
  const t5 = await tiny()
  const { model } = await t5.finetune({ ...TINY_FINETUNE, dtype: 'bfloat16' }).result
  expect(model.dtype).toBe('bfloat16')
  await model.save(join(folder, 'mixed'))
  const again = await load(join(folder, 'mixed'), { dtype: 'bfloat16' })
  expect(again.fingerprint).toBe(model.fingerprint)
  expect(await scoresOf(again)).toEqual(await scoresOf(model))
  await model.dispose()
})

test('the best weights by the metric are the result, and patience ends the run', async () => {
  const t5 = await tiny()
  // A metric that is best at the second evaluation.
  let calls = 0
  const humped = { name: 'humped', compute: () => [0.1, 0.9, 0.5, 0.4, 0.3][calls++] as number }
  const options = { ...TINY_FINETUNE, steps: 20, evaluateEvery: 2, dropout: 0 }
  const { model, report } = await t5.finetune({ ...options, validation: TINY_EXAMPLES, metrics: [humped], patience: 2 }).result
  expect(report).toMatchObject({ bestStep: 4, steps: 8, stopped: 'patience', metrics: { humped: 0.9 } })
  const whole = await t5.finetune({ ...options, validation: TINY_EXAMPLES, timeLimit: 600 }).result
  const short = await t5.finetune({ ...options, steps: 4 }).result
  expect(model.fingerprint).toBe(short.model.fingerprint)
  expect(whole.model.fingerprint).not.toBe(model.fingerprint)
  for (const one of [model, whole.model, short.model]) await one.dispose()
})

describe('several tasks', () => {
  const task = (name: string, rows: Example[]) => rows.map((row) => ({ ...row, task: name }))
  const both = [...task('first', snips('train', 4)), ...task('second', snips('train', 6).slice(4))]

  test("each row's input begins with its task's name, and metrics are each task's and their mean", async () => {
    const t5 = await load(NANO)
    const seen: string[] = []
    const watching = {
      name: 'seen',
      compute: (_: readonly string[], __: readonly string[], rows: readonly { input: string }[]) =>
        seen.push(...rows.map(({ input }) => input)),
    }
    const run = t5.finetune({
      train: both,
      validation: both,
      tasks: ['first', 'second'],
      metrics: ['accuracy', watching],
      steps: 1,
      batchSize: 2,
    })
    const { model, report } = await run.result
    expect(Object.keys(report.metrics)).toEqual(['accuracy', 'seen', 'first.accuracy', 'first.seen', 'second.accuracy', 'second.seen'])
    expect(report.metrics.seen).toBe(((report.metrics['first.seen'] as number) + (report.metrics['second.seen'] as number)) / 2)
    expect(seen.map((input) => input.split(' ')[0])).toEqual(['first:', 'first:', 'first:', 'first:', 'second:', 'second:'])
    expect(report.outcome!.examples).toBe(6)
    await model.dispose()
  })

  test('a row of no task, or of ids, is an error', async () => {
    const t5 = await load(NANO)
    const rejection = (train: Example[]) => failure(t5.finetune({ train, tasks: ['first', 'second'] }).result)
    expect(await rejection(snips('train', 2))).toMatchObject({
      code: 'DATA_ROW_INVALID',
      message: expect.stringContaining('has no "task"'),
    })
    expect(await rejection(task('first', TINY_EXAMPLES))).toMatchObject({
      code: 'DATA_ROW_INVALID',
      message: expect.stringContaining('token ids'),
    })
  })
})

test('with a sentinel, targets begin with <extra_id_0>, which is not in the text of outputs', async () => {
  const t5 = await load(NANO)
  const [example] = snips('train', 1) as [Example]
  const options = { train: [example], validation: [example], steps: 40, batchSize: 1, sentinel: true, dropout: 0, learningRate: 0.01 }
  const { model, report } = await t5.finetune(options).result
  expect(report.metrics.accuracy).toBe(1)
  const { text, tokens } = await model.generate(example.input)
  expect(tokens[0]).toBe(t5.tokenizer!.pieceToId('<extra_id_0>'))
  expect(text).toBe(example.target)
  await model.dispose()
  expect(await failure((await tiny()).finetune({ ...TINY_FINETUNE, sentinel: true }).result)).toMatchObject({ code: 'OPTION_INVALID' })
})

test('an abort keeps what was learned', async () => {
  const t5 = await tiny()
  const run = t5.finetune({ ...TINY_FINETUNE, steps: 1_000_000 })
  for await (const event of run) if (event.type === 'step' && event.step === 4) run.abort(new Error('enough'))
  const error = await failure(run.result)
  expect(error.message).toBe('enough')
  const { model, report } = error.partial as FinetuneResult
  expect(report.steps).toBeGreaterThanOrEqual(4)
  expect(report.stopped).toBeNull()
  expect((await scoresOf(model)).every(Number.isFinite)).toBe(true)
  await model.dispose()
})

test('a divergence fails, or ends the run with the best weights', async () => {
  const t5 = await tiny()
  const options = { ...TINY_FINETUNE, steps: 50, dropout: 0, optimizer: { name: 'adamw', learningRate: 1e30 } as const }
  expect(await failure(t5.finetune(options).result)).toMatchObject({ code: 'TUNE_DIVERGED' })
  const { model, report } = await t5.finetune({ ...options, onDivergence: 'stop' }).result
  expect(report.stopped).toBe('diverged')
  expect(report.divergences).toHaveLength(1)
  await model.dispose()
})

test.each([
  ['no examples', { train: undefined }, /'train' is missing/],
  ['no step', { steps: 0 }, /'steps' is 0/],
  ['two rates', { optimizer: { name: 'adafactor', learningRate: 1 }, learningRate: 1 }, /both given/],
  ['an unknown rule', { optimizer: { name: 'sgd' } }, /'optimizer.name'/],
  ["another rule's setting", { optimizer: { name: 'adamw', clipThreshold: 1 } }, /optimizer.clipThreshold/],
  ['patience without validation', { patience: 2 }, /needs validation/],
  ['resume without a checkpoint', { resume: true }, /needs 'checkpoint'/],
  ['two validations', { validation: TINY_EXAMPLES, validationSplit: 0.5 }, /both given/],
  ['an option of tune', { prompt: { length: 3 } }, /no option 'prompt'/],
] as [string, object, RegExp][])('%s is refused', async (_, options, message) => {
  const run = (await tiny()).finetune({ ...TINY_FINETUNE, ...options } as never)
  expect(await failure(run.result)).toMatchObject({ code: 'OPTION_INVALID', message: expect.stringMatching(message) })
})

test('Muon is a rule for prompts', async () => {
  const options = { ...TINY_FINETUNE, optimizer: { name: 'muon' } }
  expect(await failure((await tiny()).finetune(options as never).result)).toMatchObject({ code: 'OPTION_UNSUPPORTED' })
})

test('a model that was disposed of trains nothing; one that is disposed of later does not end its copy', async () => {
  const t5 = await T5.load(TINY, { device: 'cpu', dtype: 'float32', threads: 1 })
  const run = t5.finetune({ ...TINY_FINETUNE, steps: 20 })
  for await (const event of run) if (event.type === 'start') await t5.dispose()
  const { model, report } = await run.result
  expect(report.steps).toBe(20)
  await model.dispose()
  expect(await failure(t5.finetune(TINY_FINETUNE).result)).toMatchObject({ code: 'MODEL_DISPOSED' })
})
