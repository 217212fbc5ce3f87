import { beforeAll, describe, expect, test } from 'vitest'
import type { SoftPrompt, T5 } from '../../src/index.js'
import { failure, load, NANO, snips, TINY, wavyPrompt } from './helpers.js'

let nano: T5
let tiny: T5
let prompt: SoftPrompt
beforeAll(async () => {
  nano = await load(NANO)
  tiny = await load(TINY)
  prompt = wavyPrompt(3, nano.config.dModel)
})

const LABELS = ['music', 'weather', 'a somewhat longer label']

describe('score', () => {
  test('one number a target token, </s> included', async () => {
    const rows = LABELS.map((target) => ({ input: 'play some jazz', target, prompt }))
    const scores = await nano.score(rows)
    scores.forEach(({ logProb, tokenLogProbs }, i) => {
      expect(tokenLogProbs).toHaveLength(nano.tokenizer!.encode(LABELS[i]!).length + 1)
      expect(tokenLogProbs.every((value) => value <= 0)).toBe(true)
      expect(logProb).toBeCloseTo(
        tokenLogProbs.reduce((a, b) => a + b, 0),
        5,
      )
    })
    expect((await nano.score(rows[1]!)).logProb).toBeCloseTo(scores[1]!.logProb, 3)
    expect(await nano.score([])).toEqual([])
  })

  test("a row's prompt, null too, wins over the call's", async () => {
    const row = { input: 'play some jazz', target: 'music' }
    const [own, none, call] = await nano.score([{ ...row, prompt }, { ...row, prompt: null }, row], { prompt })
    expect(call!.logProb).toBeCloseTo(own!.logProb, 3)
    expect(none!.logProb).not.toBeCloseTo(own!.logProb, 3)
    expect((await nano.score(row)).logProb).toBeCloseTo(none!.logProb, 3)
  })

  test.each<[string, string, unknown]>([
    ['DATA_TARGET_EMPTY', "Row 0's target", [{ input: [5], target: [] }]],
    [
      'TOKEN_OUT_OF_RANGE',
      "Row 1's target",
      [
        { input: [5], target: [1] },
        { input: [5], target: [999] },
      ],
    ],
    ['OPTION_INVALID', "Row 0's target is undefined", [{ input: [5] }]],
    ['OPTION_INVALID', "Did you mean 'prompt'?", [{ input: [5], target: [1], prompts: null }]],
    ['OPTION_INVALID', 'Row 0 is "text"', ['text']],
  ])('%s: %s', async (code, message, rows) => {
    expect(await failure(tiny.score(rows as never))).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})

describe('classify', () => {
  test('is score of every label', async () => {
    const inputs = ['play some jazz', 'will it rain']
    const results = await nano.classify(inputs, { labels: LABELS, prompt })
    for (const [i, { label, index, probabilities, logProbs }] of results.entries()) {
      const scores = await nano.score(LABELS.map((target) => ({ input: inputs[i]!, target, prompt })))
      scores.forEach((score, j) => {
        expect(logProbs[j]).toBeCloseTo(score.logProb, 3)
      })
      expect(index).toBe(logProbs.indexOf(Math.max(...logProbs)))
      expect(label).toBe(LABELS[index])
      expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
      expect(probabilities[0]! / probabilities[1]!).toBeCloseTo(Math.exp(logProbs[0]! - logProbs[1]!), 2)
    }
  })

  test('one in, one out; rows with prompts of their own; labels as ids', async () => {
    const one = await tiny.classify([5, 6, 1], {
      labels: [
        [7, 1],
        [8, 9, 1],
      ],
    })
    expect(one.label).toBe(['7 1', '8 9 1'][one.index])
    const own = wavyPrompt(2, 48)
    const rows = await tiny.classify([[5, 6, 1], { input: [5, 6, 1], prompt: own }], {
      labels: [
        [7, 1],
        [8, 9, 1],
      ],
    })
    expect(rows[0]!.logProbs[0]).toBeCloseTo(one.logProbs[0]!, 4)
    expect(rows[1]!.logProbs[0]).not.toBeCloseTo(one.logProbs[0]!, 4)
    expect(await tiny.classify([], { labels: [[7], [8]] })).toEqual([])
  })

  test.each<[string, unknown]>([
    ["'labels' is missing", {}],
    ['at least two labels', { labels: [[5]] }],
    ['entries 0 and 2', { labels: [[5], [6], [5]] }],
    ["Did you mean 'labels'?", { label: [[5], [6]] }],
  ])('OPTION_INVALID: %s', async (message, options) => {
    expect(await failure(tiny.classify([[5]], options as never))).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(message),
    })
  })

  test('an aborted signal', async () => {
    const reason = new Error('no')
    expect(await failure(tiny.classify([[5]], { labels: [[5], [6]], signal: AbortSignal.abort(reason) }))).toBe(reason)
  })
})

describe('gradient', () => {
  test('has the shape of the prompt and is the slope of the loss', async () => {
    const examples = [
      { input: [5, 6, 7, 1], target: [8, 1] },
      { input: [9, 1], target: [10, 11, 12, 1] },
    ]
    const at = (prompt: SoftPrompt) => tiny.gradient(examples, { prompt, loss: { reduction: 'mean' } })
    const start = wavyPrompt(2, 48)
    const { loss, gradient } = await at(start)
    expect(gradient).toHaveLength(96)
    const norm = Math.hypot(...gradient)
    const step = 1e-2
    const moved = wavyPrompt(2, 48)
    gradient.forEach((value, i) => {
      moved.data[i]! -= (step * value) / norm
    })
    expect((loss - (await at(moved)).loss) / step).toBeCloseTo(norm, 1)
    expect((await tiny.gradient(examples, { prompt: start })).loss).toBeCloseTo(6 * loss, 3)
  })

  test.each<[string, string, unknown[], unknown]>([
    ['OPTION_INVALID', "'prompt'", [{ input: [5], target: [1] }], {}],
    ['DATA_EMPTY', 'no examples', [], { prompt: wavyPrompt(2, 48) }],
    ['OPTION_INVALID', 'Row 0 is 5', [5], { prompt: wavyPrompt(2, 48) }],
    ['PROMPT_WIDTH', '8 wide', [{ input: [5], target: [1] }], { prompt: wavyPrompt(2, 8) }],
  ])('%s: %s', async (code, message, examples, options) => {
    expect(await failure(tiny.gradient(examples as never, options as never))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })
})

describe('evaluate', () => {
  test('accuracy is the share of equal texts', async () => {
    const data = snips('test', 20)
    const outputs = await nano.generate(
      data.map(({ input }) => input as string),
      { prompt, maxNewTokens: 20 },
    )
    const mine = data.map(({ input }, i) => ({ input, target: i % 4 === 0 ? 'surely not' : outputs[i]!.text || 'empty' }))
    const { metrics, count, predictions } = await nano.evaluate({ data: mine, prompt })
    expect(count).toBe(20)
    expect(predictions).toHaveLength(20)
    const right = predictions.filter(({ prediction, target }) => prediction === target).length
    expect(metrics).toEqual({ accuracy: right / 20 })
    expect(predictions[1]).toMatchObject({ input: data[1]!.input })
  })

  test('with labels it is by classify', async () => {
    const data = snips('test', 12)
    const labels = [...new Set(data.map(({ target }) => target as string))]
    const { metrics, predictions } = await nano.evaluate({ data, prompt, labels })
    const classified = await nano.classify(
      data.map(({ input }) => input as string),
      { labels, prompt },
    )
    expect(predictions.map(({ prediction }) => prediction)).toEqual(classified.map(({ label }) => label))
    expect(metrics.accuracy).toBeCloseTo(classified.filter(({ label }, i) => label === data[i]!.target).length / 12, 10)
  })

  test('ids alone, for a model without tokenizer', async () => {
    const { tokens } = await tiny.generate([5, 6, 1], { maxNewTokens: 11 })
    const target = [...tokens].filter((id) => id > 1)
    const { metrics, predictions } = await tiny.evaluate({
      data: [
        { input: [5, 6, 1], target: [...target, 1] },
        { input: [5, 6, 1], target: [3, 4] },
      ],
    })
    expect(predictions[1]).toMatchObject({ input: '5 6 1', target: '3 4' })
    expect(metrics.accuracy).toBeLessThanOrEqual(0.5)
  })

  test.each<[string, string, unknown]>([
    ['OPTION_INVALID', "'data' is missing", {}],
    ['DATA_EMPTY', '', { data: [] }],
    [
      'DATA_LABEL_UNKNOWN',
      'Row 1',
      {
        data: [
          { input: [5], target: [7] },
          { input: [5], target: [9] },
        ],
        labels: [[7], [8]],
      },
    ],
    ['DATA_FILE_NOT_FOUND', 'nowhere.jsonl', { data: 'nowhere.jsonl' }],
    ['OPTION_INVALID', 'acuracy', { data: [{ input: [5], target: [7] }], metrics: ['acuracy'] }],
  ])('%s: %s', async (code, message, options) => {
    expect(await failure(tiny.evaluate(options as never))).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})
