import { beforeAll, describe, expect, test } from 'vitest'
import { elected } from '../../src/ensemble.js'
import { type Classification, type Generation, PromptEnsemble, type Score, SoftPrompt, type T5 } from '../../src/index.js'
import { failure, load, TINY, TINY_EXAMPLES, wavyPrompt } from './helpers.js'

let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

/** Prompts that answer differently. */
const prompts = [1, 40, -40, 90].map((factor, i) => {
  const { data } = wavyPrompt(2 + i, 48)
  return SoftPrompt.fromArray(
    data.map((value, j) => factor * value * Math.cos(j * (i + 1))),
    { rows: 2 + i, dModel: 48 },
  )
})
const inputs = TINY_EXAMPLES.map(({ input }) => input as number[])
const labels = [
  [60, 1],
  [61, 1],
  [62, 63, 1],
]
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length
const entropy = (p: number[]) => -p.reduce((sum, value) => sum + value * Math.log(value), 0)

describe('generate', () => {
  const options = { maxNewTokens: 3 }

  test('gives the output of most prompts, and what each says', async () => {
    const alone: Generation[][] = await Promise.all(prompts.map((prompt) => tiny.generate(inputs, { ...options, prompt })))
    const answers = await tiny.generate(inputs, { ...options, prompt: SoftPrompt.ensemble(prompts) })
    expect(answers).toHaveLength(inputs.length)
    answers.forEach((answer, row) => {
      const members = alone.map((generations) => generations[row]!)
      expect(answer.ensemble!.members.map(({ tokens }) => tokens)).toEqual(members.map(({ tokens }) => tokens))
      members.forEach(({ logProb }, i) => {
        expect(answer.ensemble!.members[i]!.logProb).toBeCloseTo(logProb, 4)
      })
      const votes = members.map(({ tokens }) => tokens.join(' '))
      const own = votes.filter((vote) => vote === answer.tokens.join(' ')).length
      expect(answer.ensemble!.agreement).toBe(own / 4)
      for (const vote of votes) expect(votes.filter((other) => other === vote).length).toBeLessThanOrEqual(own)
      expect(answer.usage.inputTokens).toBe(4 * 4)
    })
  })

  test('by average: the output that is the likeliest behind all prompts', async () => {
    const input = inputs[0]!
    const answer = await tiny.generate(input, { ...options, prompt: SoftPrompt.ensemble(prompts, { combine: 'average' }) })
    const averages = await Promise.all(
      answer.ensemble!.members.map(async ({ tokens }) => {
        const scores = await tiny.score(prompts.map((prompt) => ({ input, target: tokens, prompt })))
        return mean(scores.map(({ logProb }) => logProb))
      }),
    )
    expect(answer.logProb).toBeCloseTo(Math.max(...averages), 4)
    expect(answer.tokens).toEqual(answer.ensemble!.members[averages.indexOf(Math.max(...averages))]!.tokens)
  })

  test('rows with an ensemble, a prompt and none share a batch', async () => {
    const ensemble = SoftPrompt.ensemble(prompts.slice(0, 2))
    const [a, b, c, d] = await tiny.generate(
      [{ input: [5, 1], prompt: ensemble }, { input: [6, 1], prompt: prompts[0]!, numBeams: 2, numReturnSequences: 2 }, [7, 1]],
      options,
    )
    expect(a!.ensemble!.members).toHaveLength(2)
    const beams = await tiny.generate([6, 1], { ...options, prompt: prompts[0]!, numBeams: 2, numReturnSequences: 2 })
    const plain = await tiny.generate([7, 1], options)
    expect([b, c, d].map((one) => one!.tokens)).toEqual([...beams, plain].map(({ tokens }) => tokens))
    for (const one of [b, c, d]) expect(one).not.toHaveProperty('ensemble')
  })

  test('stream gives the tokens of the same output, and can be left and aborted', async () => {
    const prompt = SoftPrompt.ensemble(prompts)
    const { tokens } = await tiny.generate(inputs[0]!, { ...options, prompt })
    const streamed: number[] = []
    for await (const { token } of tiny.stream(inputs[0]!, { ...options, prompt })) streamed.push(token)
    expect(streamed).toEqual([...tokens])
    for await (const _ of tiny.stream(inputs[0]!, { ...options, prompt })) break
    const abort = new AbortController()
    const aborted = (async () => {
      const pieces = tiny.stream(inputs[0]!, { maxNewTokens: 100_000, minNewTokens: 100_000, prompt, signal: abort.signal })
      setTimeout(() => abort.abort('enough'), 20)
      for await (const _ of pieces) return 'a piece'
    })()
    expect(await failure(aborted)).toBe('enough')
  })

  test('what an ensemble cannot do is said', async () => {
    const prompt = SoftPrompt.ensemble(prompts)
    expect(await failure(tiny.generate([5, 1], { prompt, numReturnSequences: 2, numBeams: 2 }))).toMatchObject({
      code: 'OPTION_UNSUPPORTED',
    })
    expect(await failure(tiny.gradient(TINY_EXAMPLES, { prompt: prompt as never }))).toMatchObject({ code: 'OPTION_INVALID' })
    expect(() => SoftPrompt.ensemble([])).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    expect(() => SoftPrompt.ensemble(prompts, { combine: 'sum' as never })).toThrow(/'vote', 'average'/)
    const foreign = SoftPrompt.ensemble([prompts[0]!, wavyPrompt(2, 8)])
    for (const call of [tiny.generate([5], { prompt: foreign }), tiny.evaluate({ data: TINY_EXAMPLES, prompt: foreign })])
      expect(await failure(call)).toMatchObject({ code: 'PROMPT_WIDTH' })
  })
})

test('equal votes: the likelier output, then the earlier prompt', () => {
  const place = (...votes: [string, number][]) => elected(votes.map(([key, logProb]) => ({ key, logProb })))
  expect(place(['a', -1], ['b', -3], ['b', -2])).toBe(2)
  expect(place(['a', -2], ['b', -1])).toBe(1)
  expect(place(['a', -1], ['b', -1])).toBe(0)
  expect(place(['a', -4], ['b', -2], ['b', -3], ['a', -2])).toBe(1)
  expect(place(['a', -1], ['a', -1])).toBe(0)
})

describe('classify', () => {
  let alone: Classification[][]
  beforeAll(async () => {
    alone = await Promise.all(prompts.map((prompt) => tiny.classify(inputs, { labels, prompt })))
  })

  test('averages the log-probabilities, and tells how uncertain that is', async () => {
    const answers = await tiny.classify(inputs, { labels, prompt: SoftPrompt.ensemble(prompts) })
    answers.forEach((answer, row) => {
      const members = alone.map((results) => results[row]!)
      const logProbs = labels.map((_, i) => mean(members.map((member) => member.logProbs[i]!)))
      logProbs.forEach((value, i) => {
        expect(answer.logProbs[i]).toBeCloseTo(value, 4)
      })
      expect(answer.index).toBe(logProbs.indexOf(Math.max(...logProbs)))
      const { agreement, entropy: whole, mutualInformation } = answer.ensemble!
      answer.ensemble!.members.forEach((member, i) => {
        expect(member.index).toBe(members[i]!.index)
        labels.forEach((_, label) => {
          expect(member.logProbs[label]).toBeCloseTo(members[i]!.logProbs[label]!, 4)
        })
      })
      expect(agreement).toBe(members.filter(({ index }) => index === answer.index).length / 4)
      const average = labels.map((_, i) => mean(members.map((member) => member.probabilities[i]!)))
      expect(whole).toBeCloseTo(entropy(average), 5)
      expect(mutualInformation).toBeCloseTo(entropy(average) - mean(members.map((member) => entropy([...member.probabilities]))), 5)
    })
  })

  test('by vote', async () => {
    const answers = await tiny.classify(inputs, { labels, prompt: SoftPrompt.ensemble(prompts, { combine: 'vote' }) })
    answers.forEach((answer, row) => {
      const votes = labels.map((_, i) => alone.filter((results) => results[row]!.index === i).length)
      expect(votes[answer.index]).toBe(Math.max(...votes))
      expect(answer.ensemble!.agreement).toBe(votes[answer.index]! / 4)
      expect(answer.label).toBe(labels[answer.index]!.join(' '))
    })
  })

  test('prompts that say the same are sure of each other', async () => {
    const twice = SoftPrompt.ensemble([prompts[1]!, prompts[1]!])
    const [answer, single] = [await tiny.classify(inputs[0]!, { labels, prompt: twice }), alone[1]![0]!]
    expect(answer.index).toBe(single.index)
    expect(answer.ensemble).toMatchObject({ agreement: 1 })
    expect(answer.ensemble!.mutualInformation).toBeLessThan(1e-6)
  })
})

test('score: means, and how far the prompts are apart', async () => {
  const rows = TINY_EXAMPLES.map(({ input, target }) => ({ input, target }))
  const alone: Score[][] = await Promise.all(prompts.map((prompt) => tiny.score(rows, { prompt })))
  const scores = await tiny.score(rows, { prompt: SoftPrompt.ensemble(prompts) })
  scores.forEach((score, row) => {
    const members = alone.map((results) => results[row]!)
    const logProbs = members.map(({ logProb }) => logProb)
    expect(score.logProb).toBeCloseTo(mean(logProbs), 4)
    expect(score.tokenLogProbs[0]).toBeCloseTo(mean(members.map(({ tokenLogProbs }) => tokenLogProbs[0]!)), 4)
    score.ensemble!.members.forEach((member, i) => {
      expect(member.logProb).toBeCloseTo(logProbs[i]!, 4)
    })
    const variance = mean(logProbs.map((value) => (value - mean(logProbs)) ** 2))
    expect(score.ensemble!.deviation).toBeCloseTo(Math.sqrt(variance), 4)
  })
})

describe('evaluate', () => {
  const prompt = SoftPrompt.ensemble(prompts)
  const textOf = (tokens: Int32Array) => tokens.filter((id) => id > 1).join(' ')

  test('predicts with the ensemble, and says of each row how far its prompts agree', async () => {
    expect(prompt).toBeInstanceOf(PromptEnsemble)
    const { predictions, agreement } = await tiny.evaluate({ data: TINY_EXAMPLES, prompt, labels: undefined })
    const answers = await tiny.generate(inputs, { prompt, maxNewTokens: 10 })
    expect(predictions.map(({ prediction }) => prediction)).toEqual(answers.map(({ tokens }) => textOf(tokens)))
    expect(predictions.map(({ ensemble }) => ensemble)).toEqual(answers.map(({ ensemble }) => ({ agreement: ensemble!.agreement })))
    expect(agreement).toBeCloseTo(mean(answers.map(({ ensemble }) => ensemble!.agreement)), 10)
  })

  test('among labels, with the uncertainty that classify tells', async () => {
    const data = TINY_EXAMPLES.map(({ input }, i) => ({ input, target: labels[i % 3]! }))
    const { predictions, invalid } = await tiny.evaluate({ data, prompt, labels: labels as never })
    const answers = await tiny.classify(inputs, { labels, prompt })
    expect(invalid).toBe(0)
    predictions.forEach(({ ensemble, prediction }, i) => {
      const { agreement, entropy, mutualInformation } = answers[i]!.ensemble!
      expect(prediction).toBe(textOf(Int32Array.from(labels[answers[i]!.index]!)))
      expect(ensemble!.agreement).toBe(agreement)
      expect(ensemble!.entropy).toBeCloseTo(entropy, 5)
      expect(ensemble!.mutualInformation).toBeCloseTo(mutualInformation, 5)
    })
  })

  test('a single prompt has nobody to agree with', async () => {
    const evaluation = await tiny.evaluate({ data: TINY_EXAMPLES, prompt: prompts[0]! })
    expect(evaluation).not.toHaveProperty('agreement')
    for (const row of evaluation.predictions) expect(row).not.toHaveProperty('ensemble')
  })

  test('the share of outputs that are no label: of the targets, or of the labels that the prompt names', async () => {
    const { predictions, invalid } = await tiny.evaluate({ data: TINY_EXAMPLES, prompt: prompts[0]! })
    const made = predictions.map(({ prediction }) => prediction)
    const share = (legal: string[]) => made.filter((text) => !legal.includes(text)).length / made.length
    expect(invalid).toBe(share(['60', '61']))
    const naming = (metadata: Record<string, string>) =>
      SoftPrompt.fromArray(prompts[0]!.data, { rows: prompts[0]!.rows, dModel: 48, metadata })
    const named = await tiny.evaluate({ data: TINY_EXAMPLES, prompt: naming({ labels: JSON.stringify([made[0]]) }) })
    expect(named.invalid).toBe(share(['60', '61', made[0]!]))
    for (const labels of ['no JSON', '[1]']) {
      const other = await tiny.evaluate({ data: TINY_EXAMPLES, prompt: naming({ labels }) })
      expect(other.invalid).toBe(invalid)
    }
    const free = TINY_EXAMPLES.map(({ input }, i) => ({ input, target: [60 + i, 1] }))
    expect(await tiny.evaluate({ data: free, prompt: prompts[0]! })).not.toHaveProperty('invalid')
  })
})
