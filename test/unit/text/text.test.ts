import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readWindows, StreamedCorpus, WholeCorpus } from '../../../src/text/corpus.js'
import { readText } from '../../../src/text/read.js'
import { checkText, resolveText, type TextFiles, type TextRow } from '../../../src/text/source.js'
import { loadTokenizer, type Tokenizer } from '../../../src/tokenizer/index.js'
import { failure, NANO, ROOT, temporaryFolder } from '../../api/helpers.js'

const folder = temporaryFolder()
const file = (name: string, content: string | Buffer) => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The documents of a source, each as one text. */
async function documents(given: unknown): Promise<string[]> {
  const all: string[] = []
  let open = ''
  for await (const part of readText(await resolveText(checkText(given, 'text')))) {
    if (part === 'end') {
      all.push(open)
      open = ''
    } else open += part.content
  }
  expect(open).toBe('')
  return all
}

test('documents of a .txt file are lines, paragraphs or the file', async () => {
  const path = file('a.txt', '\ufeffone\ntwo\r\n\n \nthree\n\n\nfour\nfive')
  expect(await documents(path)).toEqual(['one', 'two\r', 'three', 'four', 'five'])
  expect(await documents({ path, documents: 'paragraph' })).toEqual(['one\ntwo\r', 'three', 'four\nfive'])
  expect(await documents({ path, documents: 'file' })).toEqual(['one\ntwo\r\n\n \nthree\n\n\nfour\nfive'])
})

test('rows hold documents in a field, whatever the format', async () => {
  expect(await documents(file('b.jsonl', '{"text":"one"}\n\n{"text":""}\n{"text":"two\\nlines"}\n'))).toEqual(['one', 'two\nlines'])
  expect(await documents({ path: file('b.json', '[{"body":"one"},{"body":"two"}]'), column: 'body' })).toEqual(['one', 'two'])
  expect(await documents(file('b.csv', 'id,text\n1,"one, and more"\n2,two\n'))).toEqual(['one, and more', 'two'])
  const parquet = { path: join(ROOT, 'test', 'fixtures', 'data', 'snappy.parquet'), column: 'q' }
  expect((await documents(parquet)).length).toBeGreaterThan(1)
})

test('a folder is its files in the order of their paths, files of other kinds left out', async () => {
  const inner = join(folder, 'corpus', 'b')
  mkdirSync(inner, { recursive: true })
  writeFileSync(join(folder, 'corpus', 'c.txt'), 'third')
  writeFileSync(join(folder, 'corpus', 'a.jsonl'), '{"text":"first"}')
  writeFileSync(join(folder, 'corpus', 'image.png'), '')
  writeFileSync(join(inner, 'x.txt'), 'second')
  expect(await documents(join(folder, 'corpus'))).toEqual(['first', 'second', 'third'])
  expect(await documents({ path: [join(inner, 'x.txt'), join(folder, 'corpus', 'c.txt')] })).toEqual(['second', 'third'])
})

test('documents come from memory and from anywhere', async () => {
  async function* anywhere() {
    yield 'one'
    yield { text: 'two' }
  }
  expect(await documents(['one', { text: 'two' }])).toEqual(['one', 'two'])
  expect(await documents(anywhere())).toEqual(['one', 'two'])
  expect(await documents({ rows: [{ body: 'one' }], column: 'body' })).toEqual(['one'])
})

test.each([
  ['no such file', { path: 'no/such.txt' }, 'DATA_FILE_NOT_FOUND', /no\/such\.txt/],
  ['a file of no known kind', () => file('a.doc', ''), 'DATA_FILE_INVALID', /a\.doc.*\.txt/],
  ['a folder without text', () => mkdirSync(join(folder, 'empty', 'of-all'), { recursive: true }), 'DATA_EMPTY', /empty/],
  [
    'bytes that are not UTF-8',
    () => file('bad.txt', Buffer.from([0x61, 0x0a, 0x62, 0xff, 0x0a])),
    'DATA_ROW_INVALID',
    /bad\.txt, line 2: .*UTF-8 \(byte 2 of it is 0xff\)/,
  ],
  [
    'a row that is no JSON',
    () => file('bad.jsonl', '{"text":"a"}\n{oh'),
    'DATA_ROW_INVALID',
    /bad\.jsonl, line 2: not JSON.*Expected \{ "text": "some text" \}/,
  ],
  [
    'a row without the field',
    () => file('bad2.jsonl', '{"body":"a"}'),
    'DATA_ROW_INVALID',
    /bad2\.jsonl, line 1: .*"text" is undefined \(it has "body"\)/,
  ],
  ['a document that is none', [3], 'DATA_ROW_INVALID', /Document 0: 3 is no document/],
] as [string, unknown, string, RegExp][])('%s is told', async (_, given, code, message) => {
  const error = await failure(documents(typeof given === 'function' ? given() : given))
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
})

test.each([3, null, {}, { path: 'a', rows: [] }, { rows: 3 }, { path: [] }, { path: 'a', documents: 'word' }])(
  '%j is no source of text',
  (given) => {
    expect(() => checkText(given, 'text')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  },
)

const tokenizer = (await loadTokenizer(NANO)) as Tokenizer
const pack = (length: number) => ({ tokenizer, eosTokenId: 1, vocabSize: 32_128, length })
const source = (given: TextFiles | TextRow[] | AsyncIterable<TextRow>) => resolveText(checkText(given, 'text'))

test('windows are cut from all documents with a </s> after each; a rest is left out', async () => {
  const texts = ['play some jazz', 'book a table for two', 'what is the weather like']
  const all = texts.flatMap((text) => [...tokenizer.encode(text), 1])
  const { windows, counts } = await readWindows(await source(texts), pack(4), 'training')
  expect(windows.flatMap((window) => [...window])).toEqual(all.slice(0, 4 * Math.floor(all.length / 4)))
  expect(counts).toEqual({ documents: 3, tokens: all.length, unknownTokens: 0 })
})

test.each([
  ['no document', [], 'DATA_EMPTY', /The training text is empty/],
  ['a single short line', ['play some jazz'], 'DATA_TEXT_SHORT', /1 document of \d tokens together, but a window is 64/],
  ['unknown characters alone', ['\u{13000}\u{13001}', '\u{13002}'], 'DATA_TEXT_UNKNOWN', /knows no character/],
  ['ids beyond the vocabulary', [[5, 40_000]], 'TOKEN_OUT_OF_RANGE', /Document 0: 40000 is not a token id/],
] as [string, TextRow[], string, RegExp][])('%s is an error', async (_, texts, code, message) => {
  expect(await failure(readWindows(await source(texts), pack(64), 'training'))).toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
})

test('an endless stream of unknown characters is given up', async () => {
  async function* endless() {
    while (true) yield '\u{13000} \u{13001} \u{13002}'
  }
  const corpus = new StreamedCorpus(await source(endless()), { ...pack(8), seed: 0, shuffle: true, shuffleBuffer: 1_000_000 })
  expect(await failure(corpus.take(1))).toMatchObject({ code: 'DATA_TEXT_UNKNOWN' })
})

const numbers = (count: number) => Array.from({ length: count }, (_, i) => [10 + i, 1000 + i, 2000 + i])

test('a corpus in memory gives each window once an epoch', async () => {
  const { windows, counts } = await readWindows(await source(numbers(40)), pack(4), 'training')
  const corpus = new WholeCorpus(windows, counts, { seed: 5, shuffle: true })
  const taken = [...(await corpus.take(25)), ...(await corpus.take(55))]
  for (const epoch of [0, 1]) {
    const places = taken.slice(40 * epoch, 40 * epoch + 40)
    expect(new Set(places.map(({ index }) => index)).size).toBe(40)
    expect(places.every((window) => window.epoch === epoch)).toBe(true)
    for (const { tokens, index } of places) expect(tokens).toEqual(windows[index])
  }
})

test('a stream is shuffled within its buffer, the same for the same seed, and starts again where it can', async () => {
  const path = file(
    'long.jsonl',
    numbers(40)
      .map((text) => JSON.stringify({ text }))
      .join('\n'),
  )
  const open = async (seed: number, shuffle = true) =>
    new StreamedCorpus({ ...(await source({ path })), whole: false }, { ...pack(4), seed, shuffle, shuffleBuffer: 8 })
  const [first, again, other, plain] = await Promise.all([open(1), open(1), open(2), open(1, false)])
  const indices = async (corpus: StreamedCorpus) => (await corpus.take(80)).map(({ index }) => index)
  const order = await indices(first)
  expect(await indices(again)).toEqual(order)
  expect(again.digest()).toBe(first.digest())
  expect(await indices(other)).not.toEqual(order)
  expect(await indices(plain)).toEqual([...Array(40).keys(), ...Array(40).keys()])
  const sorted = (from: number) => order.slice(from, from + 40).sort((a, b) => a - b)
  expect([sorted(0), sorted(40)]).toEqual([[...Array(40).keys()], [...Array(40).keys()]])
  expect(order.slice(0, 40)).not.toEqual(order.slice(40))
  // The k-th window drawn is among the first k + 8.
  for (const [k, index] of order.slice(0, 40).entries()) expect(index).toBeLessThan(k + 8)
})

test('a stream that cannot be read again ends', async () => {
  async function* once() {
    yield* numbers(10)
  }
  const corpus = new StreamedCorpus(await source(once()), { ...pack(4), seed: 0, shuffle: true, shuffleBuffer: 4 })
  expect(await corpus.take(8)).toHaveLength(8)
  expect(await corpus.take(8)).toHaveLength(2)
  expect(await corpus.take(8)).toHaveLength(0)
})
