import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Example, type ExampleSource, type ReadOptions, readExamples } from '../../../src/data/index.js'
import { DataError, OptionError } from '../../../src/errors.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'softprompt-data-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const rows = async (source: ExampleSource, options?: ReadOptions) => (await readExamples(source, options)).examples

async function refusal(source: unknown, options?: ReadOptions): Promise<DataError> {
  const error = await readExamples(source as ExampleSource, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DataError)
  return error as DataError
}

const two: Example[] = [
  { input: 'a film', target: 'good' },
  { input: 'größer "as" is,\nnot', target: 'bad' },
]
const jsonl = two.map((row) => JSON.stringify(row)).join('\n')
const csv = 'input,target\na film,good\n"größer ""as"" is,\nnot",bad'

describe('readExamples reads', () => {
  it('rows of a .jsonl, one a line', async () => {
    expect(await rows(await put('a.jsonl', jsonl))).toEqual(two)
    expect(await rows(await put('a.jsonl', `${jsonl}\n`))).toEqual(two)
  })

  it('an array in a .json', async () => {
    expect(await rows(await put('a.json', JSON.stringify(two, null, 2)))).toEqual(two)
  })

  it('quoted fields of a .csv, and of a .tsv', async () => {
    expect(await rows(await put('a.csv', csv))).toEqual(two)
    expect(await rows(await put('a.TSV', csv.replaceAll(',', '\t').replace('is\t', 'is,')))).toEqual(two)
  })

  it('files with a byte order mark, carriage returns and blank lines', async () => {
    const windows = (text: string) => `\ufeff${text.replaceAll('\n', '\r\n')}\r\n\r\n`
    expect(await rows(await put('a.jsonl', windows(`\n${jsonl}`).replace('\ufeff\r\n', '\ufeff\r\n  \r\n')))).toEqual(two)
    expect(await rows(await put('a.json', windows(JSON.stringify(two, null, 2))))).toEqual(two)
    expect(await rows(await put('a.csv', windows('input,target\n\na film,good\n\nb,bad')))).toEqual([two[0], { input: 'b', target: 'bad' }])
  })

  it('lines longer than a chunk of the file', async () => {
    const long = { input: 'ü'.repeat(300_000), target: 'x' }
    expect(await rows(await put('a.jsonl', [long, two[0], long].map((row) => JSON.stringify(row)).join('\n')))).toEqual([
      long,
      two[0],
      long,
    ])
  })

  it('other columns when told their names', async () => {
    const columns = { input: 'text', target: 'category' }
    expect(await rows({ path: await put('a.csv', 'id,text,category\n1,hello,greeting'), columns })).toEqual([
      { input: 'hello', target: 'greeting' },
    ])
    expect(await rows({ path: await put('a.jsonl', '{"text":"hello","category":"greeting"}'), columns })).toEqual([
      { input: 'hello', target: 'greeting' },
    ])
  })

  it('arrays, iterables and asynchronous iterables', async () => {
    expect(await rows(two)).toEqual(two)
    expect(await rows(new Set(two))).toEqual(two)
    async function* later() {
      yield* two
    }
    expect(await rows(later())).toEqual(two)
  })

  it('token ids', async () => {
    const ids = [{ input: [3, 4], target: Int32Array.of(5, 1) }]
    expect(await rows(ids)).toEqual(ids)
    expect(await rows(await put('a.jsonl', '{"input":[3,4],"target":[5,1]}'))).toEqual([{ input: [3, 4], target: [5, 1] }])
  })

  it('an empty input, but no more of a row than it needs', async () => {
    expect(await rows([{ input: '', target: 'x', weight: 2 } as Example])).toEqual([{ input: '', target: 'x' }])
  })

  it('whatever JSON can carry', async () => {
    const example = fc.record({ input: fc.string({ unit: 'grapheme' }), target: fc.string({ unit: 'grapheme', minLength: 1 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(example, { minLength: 1 }), async (examples) => {
        const path = await put('a.jsonl', examples.map((row) => JSON.stringify(row)).join('\n'))
        expect(await rows(path)).toEqual(examples)
      }),
      { numRuns: 50 },
    )
  })

  it('and names rows as a person would find them', async () => {
    const path = await put('a.jsonl', `\n${jsonl}`)
    expect((await readExamples(path)).describe(1)).toBe(`${path}, line 3`)
    expect((await readExamples(two)).describe(1)).toBe('Row 1')
    const table = await put('a.csv', 'input,target\na,b\n\nc,d\n')
    expect((await readExamples(table)).describe(1)).toBe(`${table}, line 4`)
  })
})

describe('readExamples refuses', () => {
  it('a file that is not there, a folder, and a kind it cannot read', async () => {
    const missing = join(folder, 'none.jsonl')
    for (const name of ['none.jsonl', 'none.json', 'none.csv']) {
      expect(await refusal(join(folder, name))).toMatchObject({
        code: 'DATA_FILE_NOT_FOUND',
        message: expect.stringContaining(join(folder, name)),
      })
    }
    expect((await refusal(missing)).message).toMatch(/Check the path/)
    await mkdir(join(folder, 'sub.csv'))
    expect(await refusal(join(folder, 'sub.csv'))).toMatchObject({
      code: 'DATA_FILE_INVALID',
      message: expect.stringMatching(/is a folder/),
    })
    expect(await refusal(await put('a.txt', 'x'))).toMatchObject({
      code: 'DATA_FILE_INVALID',
      message: expect.stringMatching(/\.jsonl, \.json, \.csv, \.tsv or \.parquet/),
    })
  })

  it.each([
    ['empty.jsonl', ''],
    ['blank.jsonl', '\n \r\n'],
    ['empty.json', ''],
    ['none.json', '[]'],
    ['empty.csv', ''],
    ['header.csv', 'input,target\n'],
  ])('%s, which has no rows', async (name, content) => {
    const path = await put(name, content)
    expect(await refusal(path)).toMatchObject({ code: 'DATA_EMPTY', message: expect.stringContaining(path) })
  })

  it('no examples at all', async () => {
    expect((await refusal([])).code).toBe('DATA_EMPTY')
  })

  it.each([
    ['{"input":"a","target":', /line 2: not JSON/],
    ['7', /line 2: 7 is not a row. Expected \{ "input"/],
    ['null', /null is not a row/],
    ['[1,2]', /\[ 1, 2 \] is not a row/],
    ['{"text":"a","label":"b"}', /line 2: the row has no "input" \(it has "text", "label"\)/],
    ['{"input":7,"target":"b"}', /line 2: "input" is 7, neither text nor a list of token ids/],
    ['{"input":"a","target":1}', /"target" is 1, neither/],
    ['{"input":["a"],"target":"b"}', /"input" is \[ 'a' \], neither/],
    ['{"input":[],"target":"b"}', /"input" is an empty list/],
  ])('the row %s', async (line, message) => {
    const path = await put('a.jsonl', `{"input":"a","target":"b"}\n${line}\n`)
    const error = await refusal(path)
    expect(error.code).toBe('DATA_ROW_INVALID')
    expect(error.message).toContain(path)
    expect(error.message).toMatch(message)
  })

  it.each(['{"input":"a"}', '{"input":"a","target":null}', '{"input":"a","target":""}', '{"input":"a","target":[]}'])(
    '%s, a row without target',
    async (line) => {
      const error = await refusal(await put('a.jsonl', line))
      expect(error.code).toBe('DATA_TARGET_EMPTY')
      expect(error.message).toMatch(/a\.jsonl, line 1: the row has (no|an empty) "target"/)
    },
  )

  it('rows from memory by number', async () => {
    expect((await refusal([two[0], { input: 'a' }])).message).toMatch(/^Row 1: the row has no "target"/)
    expect((await refusal(['text'])).message).toMatch(/^Row 0: "text" is not a row/)
  })

  it('a .csv with other columns, a quote left open, and a field too many', async () => {
    const named = await refusal(await put('a.csv', 'text,category\na,b\n'))
    expect(named).toMatchObject({
      code: 'DATA_FILE_INVALID',
      message: expect.stringMatching(/no column "input"; its first line names "text", "category"/),
    })
    expect(await refusal(await put('a.csv', 'input,target\na,b\n"c,d\n'))).toMatchObject({
      code: 'DATA_ROW_INVALID',
      message: expect.stringMatching(/a\.csv, line \d/),
    })
    expect(await refusal(await put('a.csv', 'input,target\na,b\nc,d,e\n'))).toMatchObject({
      code: 'DATA_ROW_INVALID',
      message: expect.stringMatching(/line 3/),
    })
    expect(await refusal(await put('a.csv', 'input,target\na,\n'))).toMatchObject({
      code: 'DATA_TARGET_EMPTY',
      message: expect.stringMatching(/line 2/),
    })
  })

  it('a .csv whose quotes go wrong, by the line on which the row begins, however far into the file', async () => {
    const good = Array.from({ length: 39_999 }, (_, i) => `text ${i},label${i % 3}`)
    const after = ['more,label1', '"quoted, too",label1', 'more,label1']
    const broken = {
      '"never closed,label1': /line 40001: the row that begins here cannot be read/, // the next row's quote ends it
      'of 6" size,label1': /line 40001: .*Invalid Opening Quote/,
      '"closed" and more,label1': /line 40001: .*Invalid Closing Quote/,
      'one field': /line 40001: .*Invalid Record Length/,
    }
    for (const [line, message] of Object.entries(broken)) {
      const path = await put('a.csv', ['input,target', ...good, line, ...after].join('\n'))
      expect(await refusal(path)).toMatchObject({ code: 'DATA_ROW_INVALID', message: expect.stringMatching(message) })
    }
    const open = await put('a.csv', ['input,target', ...good, '"never closed,label1', 'more,label1'].join('\n'))
    expect((await refusal(open)).message).toMatch(/line 40001: a quote is opened .* never closed/)
  })

  it('a broken row of a .csv anywhere, among rows of several lines and blank lines', async () => {
    const row = fc.constantFrom('a,b', '"two\nlines",b', '"one, two",b', '', '"blank\n\nwithin",b')
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), fc.constantFrom('\n', '\r\n'), async (before, end) => {
        const lines = ['input,target', ...before].join('\n').split('\n')
        const path = await put('a.csv', [...lines, 'x"y,b', '"later",b', ''].join(end))
        expect((await refusal(path)).message).toContain(`a.csv, line ${lines.length + 1}: `)
      }),
      { numRuns: 60 },
    )
  })

  it('a .csv with two columns of one name, or another delimiter', async () => {
    expect((await refusal(await put('a.csv', 'input,input,target\na,b,c\n'))).message).toMatch(/two columns "input"/)
    expect(await rows(await put('a.csv', 'id,id,input,target\n1,2,a,b\n'))).toEqual([{ input: 'a', target: 'b' }])
    const semicolons = await refusal(await put('a.csv', 'input;target\na;b\n'))
    expect(semicolons).toMatchObject({ code: 'DATA_FILE_INVALID', message: expect.stringMatching(/as if ";" were its delimiter/) })
  })

  it('a byte that is not UTF-8, wherever it is', async () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify({ input: text, target: 'x' }))
    const bad = fc.constantFrom(0xff, 0xc0, 0x80, 0xed)
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), line, bad, async (before, broken, byte) => {
        const head = Buffer.from(broken.slice(0, 10))
        const bytes = Buffer.concat([Buffer.from([...before, ''].join('\n')), head, Buffer.of(byte, 0x22), Buffer.from('\n')])
        const { code, message } = await refusal(await put('a.jsonl', bytes))
        expect([code, message]).toEqual([
          'DATA_ROW_INVALID',
          expect.stringContaining(`line ${before.length + 1}: the line is not UTF-8 (byte ${head.length + 1} `),
        ])
      }),
      { numRuns: 60 },
    )
  })

  it('text that is not UTF-8, by line', async () => {
    const latin = Buffer.from('{"input":"caf\xe9","target":"b"}\n', 'latin1')
    const path = await put('a.jsonl', Buffer.concat([Buffer.from('{"input":"a","target":"b"}\n'), latin]))
    expect(await refusal(path)).toMatchObject({ code: 'DATA_ROW_INVALID', message: expect.stringMatching(/line 2: the line is not UTF-8/) })
    expect((await refusal(await put('a.csv', Buffer.from('input,target\ncaf\xe9,b\n', 'latin1')))).message).toMatch(
      /line 2: the line is not UTF-8/,
    )
    expect((await refusal(await put('a.csv', Buffer.from('\ufeffinput,target\na,b\n', 'utf16le')))).message).toMatch(
      /line 1: the line is not UTF-8/,
    )
  })

  it('a .json that is not an array', async () => {
    expect((await refusal(await put('a.json', jsonl))).message).toMatch(/is not JSON .*name it \.jsonl/)
    expect((await refusal(await put('a.json', '{"data":[]}'))).message).toMatch(/not an array/)
  })

  it('what is no source', async () => {
    for (const source of [7, null, undefined, {}, () => two]) await expect(readExamples(source as never)).rejects.toThrow(OptionError)
  })

  it("but passes on what the user's own iterable throws", async () => {
    const own = new Error('database is down')
    async function* broken() {
      yield two[0]!
      throw own
    }
    await expect(readExamples(broken())).rejects.toBe(own)
  })

  it('to go on after an abort', async () => {
    const reason = new Error('stop')
    const path = await put('a.jsonl', jsonl)
    await expect(readExamples(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(readExamples(await put('a.csv', csv), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(readExamples(two, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
