// The tokenizers of families that have their own kind: the same ids and text as the Python libraries (test/fixtures/make_tokenizers.py).
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadTokenizer, type Tokenizer } from '../../../src/tokenizer/index.js'

interface Row {
  text?: string
  ids: number[]
  decoded: string
  /** Special tokens written out. */
  spelt?: string
}

const FAMILIES = 'test/fixtures'
const rowsOf = (family: string) => JSON.parse(readFileSync(join(FAMILIES, family, 'texts.json'), 'utf8')) as Row[]
const tokenizerOf = async (family: string) => (await loadTokenizer(join(FAMILIES, family))) as Tokenizer

function streamed(tokenizer: Tokenizer, ids: readonly number[]): string {
  const decoder = tokenizer.createStreamDecoder()
  return ids.map((id) => decoder.push(id)).join('') + decoder.flush()
}

describe.each(['mt5', 'byt5', 'pile-t5'])('the tokenizer of %s', (family) => {
  it('gives the ids and texts of the Python library', async () => {
    const tokenizer = await tokenizerOf(family)
    for (const { text, ids, decoded, spelt } of rowsOf(family)) {
      if (text !== undefined) expect({ text, ids: Array.from(tokenizer.encode(text)) }).toEqual({ text, ids })
      expect({ ids, text: tokenizer.decode(ids) }).toEqual({ ids, text: decoded })
      expect(streamed(tokenizer, ids)).toBe(decoded)
      if (spelt !== undefined) expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(spelt)
    }
  })

  it('cuts at maxTokens', async () => {
    const tokenizer = await tokenizerOf(family)
    const whole = Array.from(tokenizer.encode('play some jazz é 日本'))
    for (const maxTokens of [0, 1, 3, whole.length, whole.length + 1]) {
      expect(Array.from(tokenizer.encode('play some jazz é 日本', { maxTokens }))).toEqual(whole.slice(0, maxTokens))
    }
  })
})

it('mT5 keeps its sentinels in the vocabulary, and Pile-T5 ends a text with 2', async () => {
  const mt5 = await tokenizerOf('mt5')
  const sentinel = mt5.pieceToId('<extra_id_0>') as number
  expect(mt5.vocabSize).toBe(400)
  expect(mt5.idToPiece(sentinel)).toBe('<extra_id_0>')
  expect(mt5.decode([sentinel])).toBe('')
  expect((await tokenizerOf('pile-t5')).eosTokenId).toBe(2)
})

describe('bytes', () => {
  it('are known by the name in config.json too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'softprompt-bytes-'))
    try {
      await writeFile(join(folder, 'config.json'), JSON.stringify({ model_type: 't5', tokenizer_class: 'ByT5Tokenizer' }))
      const tokenizer = (await loadTokenizer(folder)) as Tokenizer
      expect(tokenizer).toMatchObject({ vocabSize: 384, eosTokenId: 1 })
      await writeFile(join(folder, 'config.json'), JSON.stringify({ model_type: 't5' }))
      expect(await loadTokenizer(folder)).toBeNull()
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('have pieces', async () => {
    const byt5 = await tokenizerOf('byt5')
    expect(byt5.idToPiece(100)).toBe('a')
    expect(byt5.pieceToId('a')).toBe(100)
    expect(byt5.idToPiece(1)).toBe('</s>')
    expect(byt5.pieceToId('<extra_id_0>')).toBe(259)
    expect(byt5.idToPiece(384)).toBeUndefined()
    expect(byt5.pieceToId('日')).toBeUndefined()
  })

  it('of any text come back as it', async () => {
    const byt5 = await tokenizerOf('byt5')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('<'))
        expect(byt5.decode(byt5.encode(text))).toBe(text)
        expect(streamed(byt5, Array.from(byt5.encode(text)))).toBe(text)
      }),
    )
  })

  it('that are no text decode to what TextDecoder makes of them, without its U+FFFD', async () => {
    const byt5 = await tokenizerOf('byt5')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).replaceAll('\ufffd', '')
        const ids = Array.from(bytes, (byte) => byte + 3)
        expect(byt5.decode(ids).replaceAll('\ufffd', '')).toBe(expected)
        expect(streamed(byt5, ids)).toBe(byt5.decode(ids))
      }),
      { numRuns: 500 },
    )
  })
})
