// Tokenizer files of every kind with something wrong in them: a TokenizerError, or a tokenizer that works. SOFTPROMPT_FUZZ_RUNS: how many of each.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TokenizerError } from '../../../src/errors.js'
import { loadTokenizer, type Tokenizer } from '../../../src/tokenizer/index.js'
import { FIXTURES } from './fixtures.js'

const runs = { numRuns: Number(process.env.SOFTPROMPT_FUZZ_RUNS ?? 200) }
const TEXTS = ['', 'a', 'play some jazz', ' \t\n ', 'é日本\u{1f600}\ud800', '<extra_id_0>x</s>', 'ab '.repeat(300)]

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'softprompt-hostile-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** Loads what lies in the folder and uses it on all texts; gives the code of the TokenizerError that came of it, or 'works'. */
async function outcome(files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  try {
    const tokenizer = await loadTokenizer(folder)
    if (tokenizer) for (const text of TEXTS) use(tokenizer, text)
    return 'works'
  } catch (error) {
    if (!TokenizerError.isInstance(error)) throw error
    return error.code
  }
}

function use(tokenizer: Tokenizer, text: string): void {
  const ids = tokenizer.encode(text)
  for (const id of ids) if (!(id >= 0 && id < tokenizer.vocabSize)) throw new Error(`id ${id} of ${tokenizer.vocabSize}`)
  const first = tokenizer.encode(text, { maxTokens: 3 })
  expect(first.length).toBeLessThanOrEqual(3)
  const decoder = tokenizer.createStreamDecoder()
  const streamed = [...ids].map((id) => decoder.push(id)).join('') + decoder.flush()
  expect(typeof tokenizer.decode(ids)).toBe('string')
  expect(typeof streamed).toBe('string')
  tokenizer.decode([0, 1, 2, tokenizer.vocabSize - 1, tokenizer.vocabSize + 5, 70_000])
}

const isTyped = (code: string): void => {
  expect(['works', 'TOKENIZER_INVALID', 'TOKENIZER_UNSUPPORTED']).toContain(code)
}

describe('spiece.model', () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    how: fc.constantFrom('set', 'flip', 'insert', 'remove', 'repeat', 'swap'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  })
  const edited = (file: Uint8Array, edits: readonly { at: number; how: string; bytes: Uint8Array }[]) => {
    let out = Buffer.from(file)
    for (const { at, how, bytes } of edits) {
      const place = Math.floor(at * out.length)
      const [before, after] = [out.subarray(0, place), out.subarray(place)]
      if (how === 'set') out.set(bytes.subarray(0, out.length - place), place)
      else if (how === 'flip' && out.length > 0) out[place] = (out[place] as number) ^ (1 << ((bytes[0] as number) & 7))
      else if (how === 'insert') out = Buffer.concat([before, bytes, after])
      else if (how === 'remove') out = Buffer.concat([before, after.subarray(bytes.length)])
      else if (how === 'repeat') out = Buffer.concat([before, after.subarray(0, 40), after])
      else if (how === 'swap') out = Buffer.concat([after, before])
    }
    return out
  }

  it.each(['small/suffix', 'small/bytes', 'small/bpe', 'tiny26'])('%s, edited', async (name) => {
    const file = await readFile(join(FIXTURES, name, 'spiece.model'))
    const property = fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), async (edits) =>
      isTyped(await outcome({ 'spiece.model': edited(file, edits) })),
    )
    await fc.assert(property, runs)
  })

  it('with a character rule that makes a long text of a character', async () => {
    // The trie: its root leads by 'a' to a leaf that names replacement 0.
    const units = new Uint32Array(256)
    units[0] = 1 << 10
    units[1 ^ 0x61] = (2 << 10) | (1 << 8) | 0x61
    units[1 ^ 0x61 ^ 2] = 0x80000000
    const table = (length: number) =>
      Buffer.concat([lengthOf(units), Buffer.from(units.buffer), Buffer.alloc(length, 'b'), Buffer.alloc(1)])
    const pieces = ['<unk>', '</s>', 'b'].map((text, i) =>
      field(1, Buffer.concat([field(1, text), Buffer.from([0x18, i === 0 ? 2 : i === 1 ? 3 : 1])])),
    )
    const model = (length: number) => Buffer.concat([...pieces, field(3, field(2, table(length)))])
    expect(await outcome({ 'spiece.model': model(4) })).toBe('works')
    const tokenizer = (await loadTokenizer(folder)) as Tokenizer
    expect(tokenizer.encode('a', { maxTokens: 99 })).toHaveLength(5) // the dummy prefix is unknown
    expect(await outcome({ 'spiece.model': model(257) })).toBe('TOKENIZER_INVALID')
  })
})

const lengthOf = ({ byteLength }: { byteLength: number }) => {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(byteLength)
  return out
}

/** A field of bytes in protobuf's wire format. */
function field(number: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content)
  const length: number[] = []
  for (let left = bytes.length; length.length === 0 || left > 0; left >>= 7) length.push((left & 127) | (left >= 128 ? 128 : 0))
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes])
}

/** `json` with another value at each of the places. */
function changed(json: unknown, edits: readonly { place: number; value: unknown }[]): unknown {
  const out = structuredClone(json)
  for (const { place, value } of edits) {
    const places: { parent: Record<string, unknown>; key: string }[] = []
    const walk = (node: unknown) => {
      if (typeof node !== 'object' || node === null) return
      for (const key of Object.keys(node)) {
        places.push({ parent: node as Record<string, unknown>, key })
        walk((node as Record<string, unknown>)[key])
      }
    }
    walk(out)
    const chosen = places[place % Math.max(1, places.length)]
    if (!chosen) continue
    if (value === undefined) delete chosen.parent[chosen.key]
    else chosen.parent[chosen.key] = structuredClone(value) // a later edit may go into it
  }
  return out
}

const value = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    -1,
    2 ** 31,
    1e300,
    '(',
    '(a+)+$',
    { Regex: '(' },
    { String: '' },
    [[]],
    'BPE',
    'Unigram',
    'WordPiece',
    'Precompiled',
    'ByteLevel',
  ),
)
const edits = fc.array(fc.record({ place: fc.nat(100_000), value }), { minLength: 1, maxLength: 4 })

describe('tokenizer.json', () => {
  const folderOf = (family: string) => join(FIXTURES, '..', family)
  it('of Pile-T5, edited', async () => {
    const json = JSON.parse(await readFile(join(folderOf('pile-t5'), 'tokenizer.json'), 'utf8'))
    const property = fc.asyncProperty(edits, async (all) =>
      isTyped(await outcome({ 'tokenizer.json': JSON.stringify(changed(json, all)) })),
    )
    await fc.assert(property, runs)
  })

  it('with a pattern that goes astray is stopped', async () => {
    const json = JSON.parse(await readFile(join(folderOf('pile-t5'), 'tokenizer.json'), 'utf8'))
    json.normalizer = { type: 'Replace', pattern: { Regex: '^(a+)+$' }, content: 'b' }
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json))
    const tokenizer = (await loadTokenizer(folder)) as Tokenizer
    expect(() => tokenizer.encode(`${'a'.repeat(60)}b`)).toThrow(expect.objectContaining({ code: 'TOKENIZER_INVALID' }))
    expect(tokenizer.encode('b').length).toBeGreaterThan(0)
  })
})

describe('tokenizer_config.json', () => {
  const config = {
    tokenizer_class: 'T5Tokenizer',
    extra_ids: 100,
    eos_token: { content: '</s>' },
    pad_token: '<pad>',
    unk_token: '<unk>',
    added_tokens_decoder: { 0: { content: '<pad>', special: true }, 1: { content: '</s>', special: true } },
  }
  it('edited', async () => {
    const spiece = await readFile(join(FIXTURES, 'small/suffix/spiece.model'))
    const property = fc.asyncProperty(edits, async (all) =>
      isTyped(await outcome({ 'spiece.model': spiece, 'tokenizer_config.json': JSON.stringify(changed(config, all)) })),
    )
    await fc.assert(property, runs)
  })

  it.each([
    ['extra_ids', 1e12],
    ['extra_ids', -1],
    ['extra_ids', '100'],
    ['eos_token', 5],
    ['pad_token', { content: 5 }],
    ['tokenizer_class', []],
    ['added_tokens_decoder', [1]],
    ['added_tokens_decoder', { x: { content: 'a' } }],
    ['added_tokens_decoder', { 1: { content: null } }],
    ['added_tokens_decoder', { 99999999999: { content: 'a' } }],
    ['added_tokens_decoder', { 1: { content: 'a', special: 1 } }],
  ])('%s: %j is refused by name', async (key, wrong) => {
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ ...config, [key]: wrong }))
    const error = await loadTokenizer(folder).then(String, String)
    expect(error).toContain('tokenizer_config.json')
    expect(error).toContain(key)
  })

  it('null where a key has no value is none', async () => {
    await writeFile(join(folder, 'spiece.model'), await readFile(join(FIXTURES, 'small/suffix/spiece.model')))
    const nothing = Object.fromEntries(Object.keys(config).map((key) => [key, null]))
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(nothing))
    expect((await loadTokenizer(folder))?.eosTokenId).toBeGreaterThan(0)
  })
})

it('a file beyond all measure is not read', async () => {
  const { truncate } = await import('node:fs/promises')
  for (const name of ['spiece.model', 'tokenizer.json', 'tokenizer_config.json']) {
    await writeFile(join(folder, name), '')
    await truncate(join(folder, name), 2 ** 31)
    await expect(loadTokenizer(folder)).rejects.toThrow(/bytes, and more than/)
    await rm(join(folder, name))
  }
})
