import { beforeAll, describe, expect, test } from 'vitest'
import type { Generation, Piece, SoftPrompt, T5 } from '../../src/index.js'
import { folderOf } from '../parity/answers.js'
import { failure, load, NANO, TINY, wavyPrompt } from './helpers.js'

const TEXTS = ['play some jazz', 'x', 'what will the weather be like in the mountains on the second weekend of may']

let nano: T5
let tiny: T5
let prompt: SoftPrompt
beforeAll(async () => {
  nano = await load(NANO)
  tiny = await load(TINY)
  prompt = wavyPrompt(3, nano.config.dModel)
})

const options = { maxNewTokens: 12 }

const ALL_TOKENS = Array.from({ length: 120 }, (_, id) => [id])

describe('generate', () => {
  test('one in, one out; many in, many out; nothing in, nothing out', async () => {
    const one = await nano.generate(TEXTS[0]!, options)
    const many = await nano.generate(TEXTS, options)
    expect(many).toHaveLength(3)
    expect(many[0]!.tokens).toEqual(one.tokens)
    expect(await nano.generate([], options)).toEqual([])
    expect(await nano.generate([TEXTS[0]!], options)).toHaveLength(1)
  })

  test('the shape of a generation', async () => {
    const generation = await nano.generate(TEXTS[0]!, options)
    const inputTokens = nano.tokenizer!.encode(TEXTS[0]!).length + 1
    expect(generation.tokens).toBeInstanceOf(Int32Array)
    expect(generation.text).toBe(nano.tokenizer!.decode(generation.tokens))
    expect(generation.logProb).toBeLessThan(0)
    expect(['eos', 'length']).toContain(generation.finishReason)
    expect(generation.finishReason === 'eos').toBe(generation.tokens.at(-1) === 1)
    const outputTokens = generation.tokens.length
    expect(generation.usage).toEqual({ inputTokens, outputTokens, totalTokens: inputTokens + outputTokens })
  })

  test('token ids are taken as they are', async () => {
    const ids = [...nano.tokenizer!.encode(TEXTS[2]!), 1]
    const [text, array, typed] = [
      await nano.generate(TEXTS[2]!, options),
      await nano.generate(ids, options),
      await nano.generate(Int32Array.from(ids), options),
    ]
    expect(array.tokens).toEqual(text.tokens)
    expect(typed.tokens).toEqual(text.tokens)
    const bare = await nano.generate([ids.slice(0, -1), ids], options)
    expect(bare[1]!.tokens).toEqual(text.tokens)
    expect(bare[0]!.usage.inputTokens).toBe(ids.length - 1)
  })

  test("rows have prompts and options of their own, which win over the call's", async () => {
    const alone = await nano.generate(TEXTS[0]!, { ...options, prompt })
    const bare = await nano.generate(TEXTS[0]!, options)
    const mixed = await nano.generate(
      [
        { input: TEXTS[0]!, prompt: null },
        TEXTS[0]!,
        { input: TEXTS[1]!, maxNewTokens: 2, minNewTokens: 2 },
        { input: TEXTS[0]!, prompt: wavyPrompt(7, nano.config.dModel) },
      ],
      { ...options, prompt },
    )
    expect(mixed[0]!.tokens).toEqual(bare.tokens)
    expect(mixed[1]!.tokens).toEqual(alone.tokens)
    expect(mixed[1]!.logProb).toBeCloseTo(alone.logProb, 3)
    expect(mixed[2]!.tokens).toHaveLength(2)
  })

  test('minNewTokens holds </s> back', async () => {
    const { tokens } = await nano.generate('x', { minNewTokens: 9, maxNewTokens: 9 })
    expect(tokens).toHaveLength(9)
    expect([...tokens.slice(0, 8)]).not.toContain(1)
  })

  test('logProb is what score says of the output', async () => {
    const generation = await nano.generate(TEXTS[2]!, { ...options, prompt })
    const score = await nano.score({ input: TEXTS[2]!, target: generation.tokens, prompt })
    expect(score.tokenLogProbs).toHaveLength(generation.tokens.length)
    expect(score.logProb).toBeCloseTo(generation.logProb, 3)
  })

  test('stop texts end an output and are kept out of it', async () => {
    const whole = await nano.generate(TEXTS[0]!, { maxNewTokens: 12, minNewTokens: 12, prompt })
    const stop = whole.text.slice(2, 4)
    const cut = await nano.generate(TEXTS[0]!, { maxNewTokens: 12, minNewTokens: 12, prompt, stop: ['never in there', stop] })
    expect(cut.finishReason).toBe('stop')
    expect(cut.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)))
    expect(cut.tokens).toEqual(whole.tokens.slice(0, cut.tokens.length))
    expect(nano.tokenizer!.decode(cut.tokens)).toContain(stop)
    expect(nano.tokenizer!.decode(cut.tokens.slice(0, -1))).not.toContain(stop)
    expect(cut.logProb).toBeCloseTo((await nano.score({ input: TEXTS[0]!, target: cut.tokens, prompt })).logProb, 5)
    expect(cut.usage.outputTokens).toBe(cut.tokens.length)
  })

  test('a row ends soon after its stop text, whatever it may have left', async () => {
    const endless = { prompt, minNewTokens: 1_000_000, maxNewTokens: 1_000_000 }
    const whole = await nano.generate(TEXTS[0]!, { ...endless, minNewTokens: 12, maxNewTokens: 12 })
    const stop = [whole.text.slice(2, 4)]
    const sampled = { doSample: true, seed: 3, topK: 50, stop: ['e'] }
    const [cut, short, drawn] = await nano.generate([
      { input: TEXTS[0]!, ...endless, stop },
      { input: TEXTS[1]!, prompt, maxNewTokens: 3 },
      { input: TEXTS[2]!, ...endless, ...sampled },
    ])
    const alone = await nano.generate(TEXTS[0]!, { prompt, minNewTokens: 12, maxNewTokens: 12, stop })
    expect(cut).toEqual({ ...alone, logProb: expect.closeTo(alone.logProb, 4) })
    expect(short!.tokens).toEqual((await nano.generate(TEXTS[1]!, { prompt, maxNewTokens: 3 })).tokens)
    expect(drawn).toMatchObject({ finishReason: 'stop' })
    expect(drawn!.text).not.toContain('e')
  })

  test.each<[string, string, (t5: T5) => Promise<unknown>]>([
    [
      'TOKEN_OUT_OF_RANGE',
      'Row 1: token id 120',
      (t5) =>
        t5.generate([
          [5, 1],
          [5, 120],
        ]),
    ],
    ['TOKEN_OUT_OF_RANGE', 'token id -1', (t5) => t5.generate([-1])],
    ['TOKEN_OUT_OF_RANGE', 'token id 1.5', (t5) => t5.generate([1.5])],
    ['DATA_ROW_INVALID', 'no token ids', (t5) => t5.generate(new Int32Array(0))],
    ['OPTION_INVALID', 'Row 1 is 7', (t5) => t5.generate([{ input: [1] }, 7] as never)],
    ['OPTION_INVALID', "Did you mean 'maxNewTokens'?", (t5) => t5.generate([5], { maxNewToken: 3 } as never)],
    ['OPTION_INVALID', 'generate (row 1) has no option', (t5) => t5.generate([{ input: [5] }, { input: [5], promt: null } as never])],
    ['OPTION_UNSUPPORTED', 'numBeams 1', (t5) => t5.generate([5], { numBeams: 4, doSample: true })],
    ['TOKENIZER_MISSING', "'stop'", (t5) => t5.generate([5], { stop: ['x'] })],
    ['TOKENIZER_MISSING', "'labels[0]'", (t5) => t5.generate([5], { labels: ['x'] })],
    ['TOKEN_OUT_OF_RANGE', "'badWords[1]'", (t5) => t5.generate([5], { badWords: [[5], [120]] })],
    ['OPTION_INVALID', 'entries 0 and 1', (t5) => t5.generate([5], { labels: [[5], [5, 1]] })],
    ['OPTION_INVALID', '</s> in its middle', (t5) => t5.generate([5], { labels: [[5, 1, 6]] })],
    ['OPTION_INVALID', 'the labels need 3', (t5) => t5.generate([5], { labels: [[5], [5, 6]], maxNewTokens: 2 })],
    ['OPTION_INVALID', 'forbid every', (t5) => t5.generate([5], { badWords: ALL_TOKENS, minNewTokens: 1 })],
    ['PROMPT_WIDTH', '8 wide', (t5) => t5.generate([5], { prompt: wavyPrompt(2, 8) })],
    ['PROMPT_WIDTH', 'Row 1', (t5) => t5.generate([[5], { input: [5], prompt: wavyPrompt(2, 8) }])],
    [
      'PROMPT_MODEL',
      'tuned on other (',
      (t5) => t5.generate([5], { prompt: wavyPrompt(2, 48, { fingerprint: 'f'.repeat(64), model: 'other' }) }),
    ],
  ])('%s: %s', async (code, message, call) => {
    expect(await failure(call(tiny))).toMatchObject({ code, message: expect.stringContaining(message) })
  })

  test('a prompt whose numbers went bad is refused', async () => {
    const bad = wavyPrompt(2, 48)
    bad.data[50] = Number.NaN
    expect(await failure(tiny.generate([5], { prompt: bad }))).toMatchObject({
      code: 'PROMPT_NOT_FINITE',
      message: expect.stringContaining('row 1, column 2'),
    })
  })

  test("an abort rejects with the signal's reason", async () => {
    const reason = { why: 'enough' }
    expect(await failure(tiny.generate([5], { signal: AbortSignal.abort(reason) }))).toBe(reason)
    const controller = new AbortController()
    const long = tiny.generate(
      Array.from({ length: 64 }, () => [5, 6, 7, 1]),
      { minNewTokens: 100_000, maxNewTokens: 100_000, signal: controller.signal },
    )
    setTimeout(() => controller.abort(reason), 30)
    expect(await failure(long)).toBe(reason)
    expect((await tiny.generate([5], { maxNewTokens: 2 })).tokens.length).toBeGreaterThan(0)
  })

  test("a row's own signal stops the call", async () => {
    const reason = new Error('row')
    expect(await failure(tiny.generate([[5], { input: [6], signal: AbortSignal.abort(reason) }]))).toBe(reason)
  })
})

describe('several outputs', () => {
  const query = [5, 6, 7, 1]

  test('of one query are an array, the best first', async () => {
    const all = await tiny.generate(query, { numBeams: 4, numReturnSequences: 3, maxNewTokens: 5, lengthPenalty: 0 })
    expect(all).toHaveLength(3)
    const [best] = await tiny.generate([query], { numBeams: 4, maxNewTokens: 5, lengthPenalty: 0 })
    expect(all[0]!.tokens).toEqual(best!.tokens)
    expect(all[0]!.logProb).toBeGreaterThanOrEqual(all[1]!.logProb)
    expect(new Set(all.map(({ tokens }) => tokens.join())).size).toBe(3)
  })

  test('of several queries stand together, each as many as its row wants', async () => {
    const rows = [{ input: query }, { input: [8, 1], doSample: true, seed: 1, numReturnSequences: 3 }, { input: query, numBeams: 2 }]
    const all = await tiny.generate(rows, { maxNewTokens: 4 })
    expect(all.map(({ usage }) => usage.inputTokens)).toEqual([4, 2, 2, 2, 4])
    const alone = (await tiny.generate([rows[1]!], { maxNewTokens: 4 })).map(({ tokens }) => tokens)
    expect(all.slice(1, 4).map(({ tokens }) => tokens)).toEqual(alone)
  })
})

describe('sampling', () => {
  const options = { doSample: true, maxNewTokens: 10, minNewTokens: 10, seed: 9 }
  const tokensOf = (all: Generation[]) => all.map(({ tokens }) => [...tokens])

  test('the same seed gives the same outputs, another one others', async () => {
    const rows = [
      [5, 1],
      [5, 1],
      [7, 8, 1],
    ]
    const once = tokensOf(await tiny.generate(rows, options))
    expect(tokensOf(await tiny.generate(rows, options))).toEqual(once)
    expect(once[0]).not.toEqual(once[1]) // the same input, at another place
    expect(tokensOf(await tiny.generate(rows, { ...options, seed: 10 }))).not.toEqual(once)
    expect(tokensOf([await tiny.generate(rows[0]!, options)])[0]).toEqual(once[0])
  })

  test("a row's own seed makes it independent of its place", async () => {
    const own = { input: [5, 1], seed: 77 }
    const [, , third] = await tiny.generate([[8, 1], [9, 1], own], options)
    expect([...third!.tokens]).toEqual([...(await tiny.generate(own, options)).tokens])
  })

  test('without a seed it differs from call to call', async () => {
    const draw = async () => [...(await tiny.generate([5, 1], { ...options, seed: undefined, temperature: 3 })).tokens]
    expect(await draw()).not.toEqual(await draw())
  })

  test('follows the distribution', async () => {
    const some = { doSample: true, maxNewTokens: 1, numReturnSequences: 4000, seed: 1, temperature: 0.7, topK: 12 } as const
    const found = await tiny.generate([5, 6, 7, 1], some)
    const scores = await tiny.score(ALL_TOKENS.map((target) => ({ input: [5, 6, 7, 1], target })))
    const kept = scores
      .map(({ logProb }, id) => ({ id, weight: Math.exp(logProb / 0.7) }))
      .sort((a, b) => b.weight - a.weight)
      .slice(0, 12)
    const total = kept.reduce((sum, { weight }) => sum + weight, 0)
    const statistic = kept.reduce((sum, { id, weight }) => {
      const expected = (4000 * weight) / total
      const count = found.filter(({ tokens }) => tokens[0] === id).length
      return sum + (count - expected) ** 2 / expected
    }, 0)
    expect(statistic).toBeLessThan(31.3) // chi-squared of 11 degrees of freedom: one sample in 1,000 exceeds it
    expect(found.every(({ tokens }) => kept.some(({ id }) => id === tokens[0]))).toBe(true)
  })
})

describe('labels', () => {
  const labels = ['music', 'weather', 'a restaurant', 'the naïve ☃']

  test.each([{}, { numBeams: 4 }, { doSample: true, seed: 2, temperature: 3 }])('are all that comes out, %j', async (how) => {
    const found = await nano.generate(TEXTS, { ...how, labels, prompt })
    for (const { text, finishReason, tokens } of found) {
      expect(labels).toContain(text)
      expect([finishReason, tokens.at(-1)]).toEqual(['eos', 1])
    }
  })

  test('beams rank them as classify does', async () => {
    const beams = await nano.generate(TEXTS[0]!, { labels, numBeams: 4, numReturnSequences: 4, lengthPenalty: 0, prompt })
    const { logProbs } = await nano.classify(TEXTS[0]!, { labels, prompt })
    const ranked = labels.map((label, i) => ({ label, logProb: logProbs[i]! })).sort((a, b) => b.logProb - a.logProb)
    expect(beams.map(({ text }) => text)).toEqual(ranked.map(({ label }) => label))
    beams.forEach(({ logProb }, i) => {
      expect(logProb).toBeCloseTo(ranked[i]!.logProb, 3)
    })
  })
})

test('bad words stay out', async () => {
  const { tokens } = await tiny.generate([5, 1], { minNewTokens: 8, maxNewTokens: 8 })
  const banned = [[tokens[0]!], [tokens[1]!, tokens[2]!]]
  const without = await tiny.generate([5, 1], { minNewTokens: 8, maxNewTokens: 8, badWords: banned })
  expect([...without.tokens]).not.toContain(tokens[0])
  expect(` ${without.tokens.join(' ')} `).not.toContain(` ${banned[1]!.join(' ')} `)
})

test('an abort reaches beams and samples at once', async () => {
  for (const how of [{ numBeams: 4 }, { doSample: true, numReturnSequences: 4 }]) {
    const controller = new AbortController()
    const reason = new Error('enough')
    const endless = tiny.generate(
      [
        [5, 1],
        [6, 1],
      ],
      { ...how, minNewTokens: 1_000_000, maxNewTokens: 1_000_000, signal: controller.signal },
    )
    setTimeout(() => controller.abort(reason), 30)
    expect(await failure(endless)).toBe(reason)
  }
})

describe('stream', () => {
  const gather = async (pieces: AsyncIterable<Piece>) => {
    const all: Piece[] = []
    for await (const piece of pieces) all.push(piece)
    return all
  }

  test('is what generate gives, piece by piece', async () => {
    const query = { input: TEXTS[0]!, prompt, maxNewTokens: 12, minNewTokens: 5 }
    const whole = await nano.generate(query)
    const pieces = await gather(nano.stream(query))
    expect(pieces.map((piece) => piece.token)).toEqual([...whole.tokens])
    expect(pieces.map((piece) => piece.text).join('')).toBe(whole.text)
  })

  test('stop texts are kept out', async () => {
    const query = { input: TEXTS[0]!, prompt, maxNewTokens: 12, minNewTokens: 12 }
    const stop = [(await nano.generate(query)).text.slice(2, 5)]
    const whole = await nano.generate({ ...query, stop })
    const pieces = await gather(nano.stream({ ...query, stop }))
    expect(pieces.map((piece) => piece.text).join('')).toBe(whole.text)
    expect(pieces.map((piece) => piece.token)).toEqual([...whole.tokens])
  })

  test('a character of several tokens comes as one piece, with its last byte', async () => {
    const byt5 = await load(folderOf('byt5'))
    const label = 'né ✓ 日本 🦉!'
    const pieces = await gather(byt5.stream('x', { labels: [label], maxNewTokens: 40 }))
    expect(pieces.filter(({ text }) => text !== '').map(({ text }) => text)).toEqual([...label])
    expect(pieces).toHaveLength(new TextEncoder().encode(label).length + 1) // </s>
  })

  test('breaking out and aborting stop it, and the model goes on', async () => {
    const endless = { minNewTokens: 1_000_000, maxNewTokens: 1_000_000 }
    for await (const _ of tiny.stream([5, 1], endless)) break
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = async () => {
      for await (const _ of tiny.stream([5, 1], { ...endless, signal: controller.signal })) controller.abort(reason)
    }
    expect(await failure(aborted())).toBe(reason)
    expect(await failure(tiny.stream([5, 1], { signal: AbortSignal.abort(reason) }).next())).toBe(reason)
    expect((await tiny.generate([5, 1], { maxNewTokens: 2 })).tokens.length).toBeGreaterThan(0)
  })

  test('of beams, of samples and among labels is what generate gives', async () => {
    for (const how of [{ numBeams: 3 }, { doSample: true, seed: 4 }, { labels: ['music', 'weather'] }]) {
      const query = { input: TEXTS[0]!, prompt, maxNewTokens: 12, ...how }
      const whole = await nano.generate(query)
      const pieces = await gather(nano.stream(query))
      expect(pieces.map((piece) => piece.token)).toEqual([...whole.tokens])
      expect(pieces.map((piece) => piece.text).join('')).toBe(whole.text)
    }
  })

  test('makes one output', async () => {
    const options = { doSample: true, numReturnSequences: 2 }
    expect(await failure(tiny.stream([5], options).next())).toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('takes one query', async () => {
    expect(await failure(tiny.stream([[5], [6]] as never).next())).toMatchObject({ code: 'OPTION_INVALID' })
  })
})
