import { beforeAll, describe, expect, it } from 'vitest'
import { type Example, readExamples, tokenizeExamples } from '../../../src/data/index.js'
import { DataError, TokenizerError } from '../../../src/errors.js'
import { loadTokenizer, type Tokenizer } from '../../../src/tokenizer/index.js'

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = (await loadTokenizer('test/fixtures/tokenizer/t5'))!
})

async function tokenize(
  examples: Example[],
  options: { tokenizer?: Tokenizer | null; maxInputLength?: number; maxTargetLength?: number; signal?: AbortSignal } = {},
) {
  return tokenizeExamples(await readExamples(examples), { tokenizer, eosTokenId: 1, vocabSize: 32128, ...options })
}

describe('tokenizeExamples', () => {
  it('ends text with </s>', async () => {
    const set = await tokenize([{ input: 'a film', target: 'good' }])
    expect(set.inputs).toEqual([Int32Array.of(3, 9, 814, 1)])
    expect(set.targets).toEqual([Int32Array.of(...tokenizer.encode('good'), 1)])
    expect([set.inputText(0), set.targetText(0), set.describe(0)]).toEqual(['a film', 'good', 'Row 0'])
  })

  it('gives an empty input its </s>', async () => {
    expect((await tokenize([{ input: '', target: 'x' }])).inputs).toEqual([Int32Array.of(1)])
  })

  it('cuts long text so that </s> still fits', async () => {
    const input = 'one two three four five six'
    const set = await tokenize([{ input, target: input }], { maxInputLength: 4, maxTargetLength: 2 })
    expect(set.inputs).toEqual([Int32Array.of(...tokenizer.encode(input).subarray(0, 3), 1)])
    expect(set.targets).toEqual([Int32Array.of(tokenizer.encode(input)[0]!, 1)])
  })

  it('takes token ids as they are, and cuts them without </s>', async () => {
    const examples = [{ input: [5, 6, 7, 8], target: Int32Array.of(9, 32127) }]
    const set = await tokenize(examples, { maxInputLength: 3 })
    expect(set.inputs).toEqual([Int32Array.of(5, 6, 7)])
    expect(set.targets).toEqual([Int32Array.of(9, 32127)])
    expect(set.inputText(0)).toBe(tokenizer.decode([5, 6, 7, 8]))
    expect((await tokenize(examples, { tokenizer: null })).inputText(0)).toBe('5 6 7 8')
  })

  it.each([[32128], [-1], [1.5], [Number.NaN]])('refuses the token id %d and names the row', async (id) => {
    const error = await tokenize([
      { input: 'a', target: 'b' },
      { input: [4, id], target: 'b' },
    ]).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TokenizerError)
    expect(error).toMatchObject({
      code: 'TOKEN_OUT_OF_RANGE',
      message: expect.stringMatching(`^Row 1: ${id} is not a token id of this model.*0 to 32127`),
    })
  })

  it('refuses text without a tokenizer and says what to do', async () => {
    const error = await tokenize([{ input: [1], target: 'b' }], { tokenizer: null }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TokenizerError)
    expect(error).toMatchObject({ code: 'TOKENIZER_MISSING', message: expect.stringMatching(/^Row 0: .*spiece\.model/) })
  })

  it('refuses a target of white space', async () => {
    const error = await tokenize([{ input: 'a', target: ' \n' }]).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DataError)
    expect(error).toMatchObject({
      code: 'DATA_TARGET_EMPTY',
      message: expect.stringMatching(/^Row 0: no token comes of the target " \\n"/),
    })
  })

  it('stops when told to', async () => {
    const examples = Array.from({ length: 20_000 }, () => ({ input: 'some words to encode '.repeat(10), target: 'x' }))
    const controller = new AbortController()
    const run = tokenize(examples, { signal: controller.signal }).catch((reason: unknown) => reason)
    setTimeout(() => controller.abort(new Error('stop')), 10)
    expect(await run).toEqual(new Error('stop'))
  })
})
