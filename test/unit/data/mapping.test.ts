import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleSource, type MappedSource, readExamples } from '../../../src/data/index.js'
import { parseTemplate } from '../../../src/data/template.js'
import { SoftPromptError } from '../../../src/errors.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'softprompt-mapping-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const rows = async (source: ExampleSource) => (await readExamples(source)).examples

async function refusal(source: unknown): Promise<SoftPromptError> {
  const error = await readExamples(source as ExampleSource).catch((reason: unknown) => reason)
  if (!SoftPromptError.isInstance(error)) throw new Error(`no error of ours: ${error}`)
  return error
}

describe('templates', () => {
  const made = (template: string, row: object) => rows({ rows: [{ target: 'x', ...row }], input: template }).then(([row]) => row!.input)

  it('put the fields of a row into a text', async () => {
    expect(await made('question: {q} context: {c}', { q: 'who?', c: 'Ann' })).toBe('question: who? context: Ann')
    expect(await made('{n} {yes} {{q}} {a.b.0}', { n: 1.5, yes: true, a: { b: ['deep'] }, 'a.x': 1 })).toBe('1.5 true {q} deep')
    expect(await made('{ a.b }{a.b}', { 'a.b': 'exact' })).toBe('exactexact')
  })

  it('keep every text as it is, whatever is in the fields', async () => {
    const piece = fc.string({ unit: 'grapheme' })
    await fc.assert(
      fc.asyncProperty(piece, piece, piece, async (before, a, b) => {
        const escaped = before.replaceAll('{', '{{').replaceAll('}', '}}')
        expect(await made(`${escaped}{a}-{b}{a}`, { a, b })).toBe(`${before}${a}-${b}${a}`)
      }),
    )
  })

  it.each([
    ['no field', /names no field/],
    ['{', /single \{/],
    ['a } b', /single \}/],
    ['{a', /single \{/],
    ['{}', /empty braces/],
    ['{a{b}}', /single/],
  ])('are refused: %s', (template, message) => {
    expect(() => parseTemplate(template, 'input')).toThrow(message)
    expect(() => parseTemplate(template, 'input')).toThrow(/^Option 'input'/)
  })

  it('never do anything but parse or refuse', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', 'a', ' ', '.') }), (text) => {
        try {
          expect(parseTemplate(text, 'input').fields.length).toBeGreaterThan(0)
        } catch (error) {
          expect(SoftPromptError.isInstance(error) && error.code).toBe('OPTION_INVALID')
        }
      }),
    )
  })

  it('refuse a row that lacks a field, and list those it has', async () => {
    const path = await put('lacks.jsonl', '{"q":"a","t":"b"}\n{"question":"a","t":"b"}')
    const error = await refusal({ path, input: '{q}', target: '{t}' })
    expect([error.code, error.message]).toEqual([
      'DATA_ROW_INVALID',
      expect.stringMatching(/lacks.jsonl, line 2: the row has no "q" \(it has "question", "t"\)/),
    ])
    expect((await refusal({ rows: [{ q: { a: 1 } }], input: '{q}' })).message).toMatch(/Row 0: "q" is .*no text/)
    expect((await refusal({ rows: [{ q: 'a', t: '' }], input: '{q}', target: '{t}' })).code).toBe('DATA_TARGET_EMPTY')
  })
})

describe('mapped sources', () => {
  it('take columns and templates from every format', async () => {
    const wanted = [
      { input: 'Q: one', target: 'yes' },
      { input: 'Q: "two", 2', target: 'no' },
    ]
    const json = [
      { q: 'one', label: 'yes' },
      { q: '"two", 2', label: 'no' },
    ]
    const mapping: MappedSource = { input: 'Q: {q}', columns: { target: 'label' } }
    const paths = [
      await put('a.json', JSON.stringify(json)),
      await put('a.jsonl', json.map((row) => JSON.stringify(row)).join('\n')),
      await put('a.csv', 'id,q,label\n1,one,yes\n2,"""two"", 2",no'),
      await put('a.tsv', 'q\tlabel\none\tyes\n"""two"", 2"\tno'),
    ]
    for (const path of paths) expect(await rows({ path, ...mapping })).toEqual(wanted)
    expect(await rows({ path: await put('a.data', 'q,label\none,yes\n"""two"", 2",no'), format: 'csv', ...mapping })).toEqual(wanted)
    expect(await rows({ rows: json, ...mapping })).toEqual(wanted)
  })

  it('say which columns a table has', async () => {
    const error = await refusal({ path: await put('b.csv', 'question,answer\na,b'), input: '{q}', target: '{answer}' })
    expect(error.message).toMatch(/has no column "q"; its first line names "question", "answer"/)
  })

  it.each([
    [{}, /no source/],
    [{ input: '{a}' }, /no source/],
    [{ path: 'a.csv', rows: [] }, /either 'path' or 'rows'/],
    [{ path: 'a.csv', format: 'xml' }, /'format' is "xml"/],
    [{ path: 'a.csv', template: 'x' }, /no option 'template'/],
    [{ path: 'a.csv', input: '{a}', columns: { input: 'a' } }, /both given/],
    [{ rows: 5 }, /'rows' is 5/],
    [{ rows: 'text' }, /'rows' is "text"/],
  ])('are refused: %j', async (source, message) => {
    const error = await refusal(source)
    expect([error.code, error.message]).toEqual(['OPTION_INVALID', expect.stringMatching(message)])
  })
})

describe('Parquet', () => {
  const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/data/${name}`, import.meta.url))

  it.each(['snappy', 'zstd', 'gzip'])('reads a table that DuckDB wrote with %s', async (codec) => {
    const set = await readExamples({ path: fixture(`${codec}.parquet`), input: 'Q: {q}', columns: { target: 'label' } })
    expect(set.examples.length).toBe(5000)
    expect(set.examples[4321]).toEqual({ input: 'Q: wörd 4321', target: 'odd' })
    expect(set.fields(7)).toMatchObject({ group: 7, answers: ['a7', 'b7'] })
    expect(set.describe(7)).toMatch(/parquet, row 7$/)
  })

  it('takes lists of 64-bit integers as token ids', async () => {
    const [first] = await rows({ path: fixture('zstd.parquet'), columns: { input: 'ids', target: 'label' } })
    expect(first).toEqual({ input: [0, 5, 1], target: 'even' })
  })

  it('says what is wrong', async () => {
    expect((await refusal(fixture('snappy.parquet'))).message).toMatch(/no column "input"; it has "group", "q", "label"/)
    expect((await refusal(await put('c.parquet', 'no parquet at all, but long enough'))).code).toBe('DATA_FILE_INVALID')
    expect((await refusal(join(folder, 'none.parquet'))).code).toBe('DATA_FILE_NOT_FOUND')
    expect(await refusal(folder.concat('/../', folder.split('/').at(-1)!, '/.')).then((error) => error.code)).toBe('DATA_FILE_INVALID')
    expect((await refusal({ path: '-', format: 'parquet' })).message).toMatch(/standard input/)
  })
})

describe('files that are broken far down', () => {
  it('name the line of a quote that is never closed', async () => {
    const lines = [
      'input,target',
      ...Array.from({ length: 39_999 }, (_, i) => `row ${i},x`),
      '"broken,x',
      ...Array.from({ length: 1000 }, () => 'more,x'),
    ]
    const error = await refusal(await put('broken.csv', lines.join('\n')))
    expect([error.code, error.message]).toEqual(['DATA_ROW_INVALID', expect.stringMatching(/broken.csv, line 40001: a quote/)])
  })

  it('name the line and byte that is not UTF-8', async () => {
    const good = Buffer.from('{"input":"\ufffd ü","target":"x"}\n')
    const bad = Buffer.concat([good, good, Buffer.from('{"input":"\ufffdü'), Buffer.of(0xe9), Buffer.from('","target":"x"}\n')])
    const error = await refusal(await put('latin.jsonl', bad))
    expect([error.code, error.message]).toEqual([
      'DATA_ROW_INVALID',
      expect.stringMatching(/latin.jsonl, line 3: the line is not UTF-8 \(byte 16 of it is 0xe9\)/),
    ])
  })

  it('CSV: what was written is read, whatever the fields hold', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', ' ', 'é', "'", '\\') })
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 8 }), async (pairs) => {
        const examples = pairs.map(([input, target]) => ({ input, target: `t${target}` }))
        const csv = ['input,target', ...examples.map(({ input, target }) => `${quoted(input)},${quoted(target)}`)].join('\n')
        expect(await rows(await put('any.csv', csv))).toEqual(examples)
      }),
      { numRuns: 60 },
    )
  })
})
