import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TokenizerError } from '../../../src/errors.js'
import { loadTokenizer } from '../../../src/tokenizer/index.js'
import { FIXTURES } from './fixtures.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'softprompt-tokenizer-'))
})
afterEach(() => rm(folder, { recursive: true }))

const tiny = () => readFile(join(FIXTURES, 'tiny26/spiece.model'))
const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content)
const refusal = async () => {
  const error = await loadTokenizer(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TokenizerError)
  return error as TokenizerError
}

/** A tokenizer.json of a few whole words, as Hugging Face writes them. */
const json = {
  version: '1.0',
  added_tokens: [
    { id: 0, content: '<pad>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
    { id: 1, content: '</s>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true },
  decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true },
  post_processor: null,
  model: {
    type: 'Unigram',
    unk_id: 2,
    vocab: [
      ['<pad>', 0],
      ['</s>', 0],
      ['<unk>', 0],
      ['\u2581a', -1],
      ['\u2581cat', -2],
      ['s', -3],
    ],
  },
}

describe('loadTokenizer', () => {
  it('gives null where there is neither file', async () => {
    expect(await loadTokenizer(folder)).toBeNull()
    expect(await loadTokenizer(join(folder, 'nowhere'))).toBeNull()
  })

  it('counts the sentinels that tokenizer_config.json asks for', async () => {
    await put('spiece.model', await tiny())
    await put('tokenizer_config.json', JSON.stringify({ extra_ids: 3 }))
    const tokenizer = (await loadTokenizer(folder))!
    expect(tokenizer.vocabSize).toBe(29)
    expect(Array.from(tokenizer.encode('<extra_id_0><extra_id_2></s>'))).toEqual([28, 26, 1])
  })

  it('takes added tokens from tokenizer_config.json', async () => {
    await put('spiece.model', await tiny())
    await put('tokenizer_config.json', JSON.stringify({ extra_ids: 0, added_tokens_decoder: { 26: { content: '[SEP]', special: true } } }))
    const tokenizer = (await loadTokenizer(folder))!
    expect(Array.from(tokenizer.encode('a [SEP]'))).toEqual([3, 5, 26])
    expect(tokenizer.decode([5, 26])).toBe('a')
  })

  it('reads tokenizer.json where there is no spiece.model', async () => {
    await put('tokenizer.json', JSON.stringify(json))
    const tokenizer = (await loadTokenizer(folder))!
    expect(tokenizer).toMatchObject({ vocabSize: 6, eosTokenId: 1 })
    expect(Array.from(tokenizer.encode('a cats</s>'))).toEqual([3, 4, 5, 1])
    expect(Array.from(tokenizer.encode('a cats', { maxTokens: 2 }))).toEqual([3, 4])
    expect(tokenizer.encode('')).toHaveLength(0)
    expect(tokenizer.decode([3, 4, 5, 1, 77])).toBe('a cats')
    expect(tokenizer.decode([3, 1], { skipSpecial: false })).toContain('</s>')
    expect(tokenizer.pieceToId('s')).toBe(5)
    expect(tokenizer.idToPiece(5)).toBe('s')
    const stream = tokenizer.createStreamDecoder()
    expect([3, 4, 5, 1].map((id) => stream.push(id)).join('') + stream.flush()).toBe('a cats')
  })

  it('takes tokenizer.json where spiece.model is of another kind, and says so where there is none', async () => {
    await copyFile(join(FIXTURES, 'small/bpe/spiece.model'), join(folder, 'spiece.model'))
    const error = await refusal()
    expect(error.code).toBe('TOKENIZER_UNSUPPORTED')
    expect(error.message).toMatch(/spiece\.model: .*not Unigram.*tokenizer\.json/)
    await put('tokenizer.json', JSON.stringify(json))
    expect((await loadTokenizer(folder))!.vocabSize).toBe(6)
  })
})

describe('a bad file is refused by name', () => {
  it.each([
    ['empty', ''],
    ['text', 'version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 791656\n'],
    ['JSON', '{}'],
  ])('spiece.model that is %s', async (_, content) => {
    await put('spiece.model', content)
    const error = await refusal()
    expect(error.code).toBe('TOKENIZER_INVALID')
    expect(error.message).toContain(join(folder, 'spiece.model'))
  })

  it('spiece.model that is cut short, wherever that is', async () => {
    const whole = await tiny()
    for (const length of [1, 100, 300, 1000, whole.length - 1]) {
      await put('spiece.model', whole.subarray(0, length))
      expect((await refusal()).code).toBe('TOKENIZER_INVALID')
    }
  })

  it('spiece.model without </s>', async () => {
    await put('spiece.model', await tiny())
    await put('tokenizer_config.json', JSON.stringify({ eos_token: '<eos>' }))
    expect((await refusal()).message).toMatch(/no piece <eos>/)
  })

  it('tokenizer.json and tokenizer_config.json that are not what they should be', async () => {
    for (const content of ['{', '[]', 'null', '{"model":{"type":"Unheard"}}']) {
      await put('tokenizer.json', content)
      const error = await refusal()
      expect(error.code).toBe('TOKENIZER_INVALID')
      expect(error.message).toContain('tokenizer.json')
    }
    await put('tokenizer_config.json', '{')
    expect((await refusal()).message).toContain('tokenizer_config.json')
  })

  it('spiece.model is a folder', async () => {
    await mkdir(join(folder, 'spiece.model'))
    await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: 'FILE_READ' })
  })

  it('and no damage makes anything but a tokenizer or a typed error', async () => {
    const whole = await tiny()
    const damage = fc.record({ at: fc.nat(whole.length - 1), value: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 8 }), fc.string(), async (spots, text) => {
        const bytes = Buffer.from(whole)
        for (const { at, value } of spots) bytes[at] = value
        await put('spiece.model', bytes)
        try {
          const tokenizer = (await loadTokenizer(folder))!
          tokenizer.decode(tokenizer.encode(text))
        } catch (error) {
          if (!TokenizerError.isInstance(error)) throw error
        }
      }),
    )
  })
})
