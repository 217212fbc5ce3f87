import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { encodeMany, loadTokenizer, type Tokenizer } from '../../../src/tokenizer/index.js'
import { hashOf, MODEL_FOLDERS, type ModelName, readExpected, readTexts } from './fixtures.js'

const expected = readExpected()
const texts = readTexts()
const snips = ['train', 'validation', 'test']
  .flatMap((split) => readFileSync(`examples/snips/${split}.jsonl`, 'utf8').trim().split('\n'))
  .map((line) => JSON.parse(line).input as string)

const names = Object.keys(MODEL_FOLDERS) as ModelName[]
const tokenizers = {} as Record<ModelName, Tokenizer>
beforeAll(async () => {
  for (const name of names) tokenizers[name] = (await loadTokenizer(MODEL_FOLDERS[name]))!
})

const toBytes = (text: string) => new TextEncoder().encode(text)
const wrong = (inputs: string[], hashes: number[], hash: (text: string) => number) => inputs.filter((text, i) => hash(text) !== hashes[i])

describe.each(names)('%s equals SentencePiece', (name) => {
  it('in the ids of 2,400 ordinary texts', () => {
    expect(expected.models[name].texts).toHaveLength(2400)
    expect(wrong(texts, expected.models[name].texts, (text) => hashOf(tokenizers[name].encode(text)))).toEqual([])
  })

  it('in the text that those ids decode to', () => {
    const { encode, decode } = bound(tokenizers[name])
    expect(wrong(texts, expected.models[name].textsDecoded, (text) => hashOf(toBytes(decode(encode(text)))))).toEqual([])
  })

  it('in the ids of every row of examples/snips', () => {
    expect(expected.models[name].snips).toHaveLength(2800)
    expect(wrong(snips, expected.models[name].snips, (text) => hashOf(tokenizers[name].encode(text)))).toEqual([])
  })

  it('in the ids of difficult strings', () => {
    for (const [i, text] of expected.difficult.entries()) {
      expect(Array.from(tokenizers[name].encode(text)), JSON.stringify(text)).toEqual(expected.models[name].difficult[i])
    }
  })

  it('in the text of arbitrary ids', () => {
    for (const { ids, text } of expected.models[name].decoded) expect(tokenizers[name].decode(ids), ids.join(' ')).toBe(text)
  })
})

function bound(tokenizer: Tokenizer) {
  return { encode: (text: string) => tokenizer.encode(text), decode: (ids: Int32Array) => tokenizer.decode(ids) }
}

describe('special tokens', () => {
  it('are split off first, as Hugging Face does', () => {
    for (const { text, ids } of expected.special) expect(Array.from(tokenizers.t5.encode(text)), JSON.stringify(text)).toEqual(ids)
  })

  it('count the sentinels down from the top', () => {
    const { t5 } = tokenizers
    expect(t5.vocabSize).toBe(32100)
    expect(t5.eosTokenId).toBe(1)
    expect([0, 1, 99].map((n) => t5.pieceToId(`<extra_id_${n}>`))).toEqual([32099, 32098, 32000])
    expect(t5.pieceToId('<extra_id_100>')).toBeUndefined()
    expect(t5.idToPiece(32099)).toBe('<extra_id_0>')
    expect(t5.idToPiece(32100)).toBeUndefined()
  })

  it('are left out of decoded text or spelt out', () => {
    const { t5 } = tokenizers
    const ids = t5.encode('<extra_id_0> a party<extra_id_1></s><pad>')
    expect(t5.decode(ids)).toBe('a party')
    expect(t5.decode(ids, { skipSpecial: false })).toBe('<extra_id_0> a party<extra_id_1></s><pad>')
    expect(t5.decode([32127, 71, 40000, -1])).toBe('A')
  })
})

// What survives a round trip through a model without byte fallback: its pieces and single spaces between words.
const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 20 })
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'a', ' ') }),
)

describe('any text', () => {
  it('comes back from decode(encode(x)), white space aside', () => {
    fc.assert(
      fc.property(words, fc.constantFrom(' ', '  ', '\t', '\u3000 '), (list, space) => {
        expect(tokenizers.t5.decode(tokenizers.t5.encode(` ${list.join(space)} `))).toBe(list.join(' '))
      }),
    )
  })

  it('comes back byte for byte where bytes stand in for the unknown', () => {
    const { bytes } = tokenizers
    // The dummy prefix is the one thing added and taken off again; U+2581 is how a space is spelt; the names of special tokens are theirs.
    const text = fc.string({ unit: 'grapheme' }).filter((x) => !x.includes('\u2581') && !/<(\/s|pad|unk|extra_id_\d+)>/.test(x))
    fc.assert(
      fc.property(text, (x) => {
        expect(bytes.decode(bytes.encode(x))).toBe(x)
      }),
    )
  })

  it('never fails, and gives ids of the vocabulary', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...names), (text, name) => {
        const tokenizer = tokenizers[name]
        const ids = tokenizer.encode(text)
        expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true)
        expect(typeof tokenizer.decode(ids)).toBe('string')
      }),
    )
  })

  it('encodes to the same ids when only the first are asked for', () => {
    fc.assert(
      fc.property(anyText, fc.nat(12), fc.constantFrom(...names), (text, maxTokens, name) => {
        const all = tokenizers[name].encode(text)
        expect(tokenizers[name].encode(text, { maxTokens })).toEqual(all.subarray(0, maxTokens))
      }),
    )
  })

  it('encodes to the same first ids of a long text', () => {
    const long = [
      ...texts.slice(0, 300),
      ' '.repeat(500),
      '\u4e2d'.repeat(500),
      'e\u0301'.repeat(500),
      `${'word '.repeat(100)}</s>${'word '.repeat(100)}`,
    ]
    for (const [i, text] of long.entries()) {
      for (const name of names) {
        const maxTokens = 1 + (i % 9)
        expect(tokenizers[name].encode(text, { maxTokens })).toEqual(tokenizers[name].encode(text).subarray(0, maxTokens))
      }
    }
  })

  it('reads a lone surrogate as U+FFFD', () => {
    expect(tokenizers.t5.encode('a\ud800b')).toEqual(tokenizers.t5.encode('a\ufffdb'))
  })

  it('takes no more memory or time than its length asks for', () => {
    for (const unit of ['a', ' ', 'the cat ', '\u4e2d', '-']) {
      const text = unit.repeat(100_000)
      const ids = tokenizers.t5.encode(text)
      expect(tokenizers.t5.encode(text, { maxTokens: 20 })).toEqual(ids.subarray(0, 20))
    }
    expect(tokenizers.t5.encode('the cat '.repeat(100_000))).toHaveLength(200_000)
  })
})

describe('createStreamDecoder', () => {
  it('gives pieces that together are the whole text', () => {
    const ids = (name: ModelName) => fc.array(fc.nat(tokenizers[name].vocabSize + 3), { maxLength: 40 })
    for (const name of names) {
      fc.assert(
        fc.property(ids(name), fc.boolean(), (list, skipSpecial) => {
          const stream = tokenizers[name].createStreamDecoder({ skipSpecial })
          const pieces = list.map((id) => stream.push(id))
          expect(pieces.join('') + stream.flush()).toBe(tokenizers[name].decode(list, { skipSpecial }))
        }),
      )
    }
  })

  it('holds a character back until its last byte', () => {
    const { bytes } = tokenizers
    const ids = Array.from(toBytes('\u20ac'), (byte) => bytes.pieceToId(`<0x${byte.toString(16).toUpperCase()}>`)!)
    const stream = bytes.createStreamDecoder()
    expect(ids.map((id) => stream.push(id))).toEqual(['', '', '\u20ac'])
    expect([stream.push(ids[0]!), stream.push(ids[0]!), stream.flush()]).toEqual(['', '\ufffd', '\ufffd'])
  })
})

describe('encodeMany', () => {
  it('gives the rows of encode in order', async () => {
    const rows = await encodeMany(tokenizers.t5, snips.slice(0, 50), { maxTokens: 5 })
    expect(rows).toEqual(snips.slice(0, 50).map((text) => tokenizers.t5.encode(text, { maxTokens: 5 })))
  })

  it('lets the event loop turn, and stops when told to', async () => {
    const controller = new AbortController()
    let turns = 0
    const done = encodeMany(tokenizers.t5, Array(200).fill(texts.slice(0, 100).join(' ')), { signal: controller.signal })
    const stopped = done.catch((error: unknown) => error)
    for (; turns < 3; turns++) await setImmediate()
    controller.abort(new Error('enough'))
    expect(await stopped).toEqual(new Error('enough'))
    expect(turns).toBe(3)
  })
})
