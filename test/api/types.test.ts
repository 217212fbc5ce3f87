import { describe, expectTypeOf, test } from 'vitest'
import type {
  Classification,
  Evaluation,
  GenerateOptions,
  Generation,
  Gradient,
  Piece,
  Query,
  Score,
  SoftPrompt,
  T5,
  TuneEvent,
  TuneOptions,
  TuneReport,
} from '../../src/index.js'

// Checked by the compiler; nothing here runs.
declare const t5: T5
declare const prompt: SoftPrompt

describe('one in, one out; many in, many out', () => {
  test('generate', () => {
    const calls = {
      text: () => t5.generate('a'),
      ids: () => t5.generate([1, 2, 3]),
      typed: () => t5.generate(new Int32Array(3), { maxNewTokens: 3 }),
      row: () => t5.generate({ input: 'a', prompt, maxNewTokens: 3 }),
      texts: () => t5.generate(['a', 'b'], { prompt: null }),
      rows: () => t5.generate([{ input: 'a', prompt }, 'b', [1, 2]]),
      none: () => t5.generate([]),
      readonlyRows: (rows: readonly Query[]) => t5.generate(rows),
      options: (options: GenerateOptions) => t5.generate('a', options),
      explicitOne: () => t5.generate('a', { numReturnSequences: 1 }),
      several: () => t5.generate('a', { numBeams: 4, numReturnSequences: 2 }),
      severalOfTheRow: () => t5.generate({ input: 'a', numReturnSequences: 2 }, { numBeams: 4 }),
      unknown: (n: number) => t5.generate('a', { doSample: true, numReturnSequences: n }),
    }
    type Result<K extends keyof typeof calls> = Awaited<ReturnType<(typeof calls)[K]>>
    expectTypeOf<Result<'text' | 'ids' | 'typed' | 'row'>>().toEqualTypeOf<Generation>()
    expectTypeOf<Result<'texts' | 'rows' | 'none' | 'readonlyRows'>>().toEqualTypeOf<Generation[]>()
    expectTypeOf<Result<'options' | 'explicitOne'>>().toEqualTypeOf<Generation>()
    expectTypeOf<Result<'several' | 'severalOfTheRow'>>().toEqualTypeOf<Generation[]>()
    expectTypeOf<Result<'unknown'>>().toEqualTypeOf<Generation | Generation[]>()
    expectTypeOf<Generation['tokens']>().toEqualTypeOf<Int32Array>()
    expectTypeOf<Generation['finishReason']>().toEqualTypeOf<'eos' | 'length' | 'stop'>()
  })

  test('score and classify', () => {
    const row = { input: 'a', target: [1, 2] }
    const labels = ['x', 'y'] as const
    const calls = {
      score: () => t5.score(row),
      scores: () => t5.score([row, { ...row, prompt }]),
      label: () => t5.classify('a', { labels }),
      labels: () => t5.classify(['a', { input: [1], prompt }], { labels, prompt }),
    }
    type Result<K extends keyof typeof calls> = Awaited<ReturnType<(typeof calls)[K]>>
    expectTypeOf<Result<'score'>>().toEqualTypeOf<Score>()
    expectTypeOf<Result<'scores'>>().toEqualTypeOf<Score[]>()
    expectTypeOf<Result<'label'>>().toEqualTypeOf<Classification>()
    expectTypeOf<Result<'labels'>>().toEqualTypeOf<Classification[]>()
  })
})

test('the other calls', () => {
  expectTypeOf<ReturnType<T5['evaluate']>>().resolves.toEqualTypeOf<Evaluation>()
  expectTypeOf<ReturnType<T5['gradient']>>().resolves.toEqualTypeOf<Gradient>()
  expectTypeOf<ReturnType<T5['stream']>>().toExtend<AsyncIterable<Piece>>()
  expectTypeOf<ReturnType<T5['tune']>>().toExtend<
    AsyncIterable<TuneEvent> & { result: Promise<{ prompt: SoftPrompt; report: TuneReport }> }
  >()
  expectTypeOf<TuneOptions['preset']>().toEqualTypeOf<'fast' | 'paper' | undefined>()
})

test('events are told apart by type', () => {
  const lossOf = (event: TuneEvent) => (event.type === 'step' ? event.loss : undefined)
  const accuracyOf = (event: TuneEvent) => (event.type === 'evaluation' ? event.metrics.accuracy : undefined)
  expectTypeOf(lossOf).returns.toEqualTypeOf<number | undefined>()
  expectTypeOf(accuracyOf).returns.toEqualTypeOf<number | undefined>()
})

test('an optimizer has the options of its name', () => {
  expectTypeOf<{ name: 'adafactor'; initialStep: number }>().toExtend<TuneOptions['optimizer']>()
  expectTypeOf<{ name: 'adamw'; beta1: number; schedule: 'cosine' }>().toExtend<TuneOptions['optimizer']>()
  expectTypeOf<{ name: 'sgd' }>().not.toExtend<TuneOptions['optimizer']>()
})
