// Everything that the documentation shows is run: JavaScript in one process (given.mjs), command lines by the command line itself, with few and small steps.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { convert } from '../../src/index.js'
import { resolvePlan } from '../../src/study/plan.js'
import { NANO, ROOT } from '../api/helpers.js'
import { pages, type Snippet, snippets, snippetsIn } from './snippets.js'

const run = promisify(execFile)

// Inside the package, so that 'softprompt' is this package.
mkdirSync(join(ROOT, 'build'), { recursive: true })
const folder = mkdtempSync(join(ROOT, 'build', 'shown-'))
afterAll(() => rmSync(folder, { recursive: true }))

const TARGETS = ['music', 'weather', 'work', 'music']
const jsonl = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const examples = jsonl(TARGETS.map((target, i) => ({ input: `row ${i}`, target })))
const PROSE = 'A sentence about pears, and one about how they grow. '.repeat(400)

/** The files that snippets name. */
beforeAll(async () => {
  for (const name of ['models', 'examples', 'docs']) symlinkSync(join(ROOT, name), join(folder, name))
  for (const name of ['books', 'notes']) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'one.txt'), PROSE)
  }
  const files = {
    ...Object.fromEntries(['train', 'dev', 'test', 'other', 'reviews', 'reviews.dev'].map((name) => [`${name}.jsonl`, examples])),
    'reviews.csv': `text,stars\n${'a warm film,5\na dull one,1\n'.repeat(5)}`,
    'test.csv': 'text,stars\na fine film,5\n',
    'questions.txt': 'play some jazz\n',
    'books.txt': PROSE,
    'plan.json': JSON.stringify({
      models: { nano: 'models/nano-t5' },
      tasks: { requests: { train: 'train.jsonl', validation: 'dev.jsonl', test: 'test.jsonl' } },
    }),
    'config.json': JSON.stringify({ vocab_size: 32128, d_model: 32, d_ff: 64, num_layers: 1, num_heads: 2 }),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  for (const name of ['squad', 'wiki']) cpSync(join(ROOT, 'test', 'fixtures', 'data', `${name}.parquet`), join(folder, `${name}.parquet`))
  await convert(NANO, join(folder, 'mine.pt'))
}, 240_000)

test('every block of every page says its language', () => {
  const known = ['js', 'ts', 'sh', 'json', 'python', 'text', 'bibtex']
  const odd = pages().flatMap((page) => {
    const fences = [...readFileSync(page, 'utf8').matchAll(/^ *```(.*)$/gm)].map(([, language]) => language!)
    return fences.filter((language, i) => i % 2 === 0 && !known.includes(language)).map((language) => `${page}: ${language || 'none'}`)
  })
  expect(odd).toEqual([])
})

/** Asks the hub, which the tests do without; test/hub has the call itself. */
const needsNetwork = ({ code }: Snippet) => /\bpull\(/.test(code)

describe('JavaScript', () => {
  const shown = snippets().filter((snippet) => !needsNetwork(snippet))
  const faults = new Map<string, string>()

  beforeAll(async () => {
    cpSync(join(ROOT, 'test', 'docs', 'given.mjs'), join(folder, 'given.mjs'))
    const files = shown.map(({ code }, i) => {
      const file = join(folder, `snippet-${i}.mjs`)
      writeFileSync(file, code)
      return file
    })
    const { stdout } = await run(process.execPath, ['given.mjs', ...files], { cwd: folder, maxBuffer: 1 << 26 })
    for (const line of stdout.split('\n').filter((text) => text.startsWith('{"file":'))) {
      const { file, fault } = JSON.parse(line) as { file: string; fault: string }
      faults.set(shown[files.indexOf(file)]!.where, fault)
    }
  }, 600_000)

  test.each(shown)('$where', ({ where }) => {
    expect(faults.get(where)).toBe('')
  })
})

describe('command lines', () => {
  const lines = snippetsIn('sh').flatMap(({ where, code }) =>
    code.split('\n').flatMap((line) => (line.trim() === '' ? [] : [{ where, line: line.replace(/\s+# .*$/, '') }])),
  )
  const few = ' --steps 2 --batch-size 4'
  const SMALL = { tune: few, finetune: few, adapt: few, demo: ' --steps 2 --length 2', study: ' --scale smoke' }
  const LEFT_OUT = { tune: '--model models/nano-t5 --out x.safetensors', evaluate: '--model models/nano-t5 --prompt snips.safetensors' }

  const ofOurs = lines.filter(({ line }) => /^(npx )?softprompt /.test(line))
  test.each(ofOurs)('$where: $line', { timeout: 600_000 }, async ({ line }) => {
    const [, command = '', rest = ''] = /^(?:npx )?softprompt (\w+)(.*)$/.exec(line)!
    const given = rest.replace(' ...', ` ${LEFT_OUT[command as keyof typeof LEFT_OUT]}`)
    const smaller = SMALL[command as keyof typeof SMALL] ?? ''
    const [arguments_, input] = given.split(' < ') as [string, string | undefined]
    const cli = `"${process.execPath}" "${join(ROOT, 'lib', 'cli.js')}" ${command}${arguments_}${smaller} < ${input ?? '/dev/null'}`
    await run('bash', ['-c', cli], { cwd: folder, env: { ...process.env, NO_COLOR: '1' }, maxBuffer: 1 << 26 })
  })

  test.each(lines.filter((line) => !ofOurs.includes(line)))('$where: $line', async ({ where, line }) => {
    const [words] = /^(?:[A-Z]+=\S+ )*(.*)$/.exec(line)!.slice(1) as [string]
    const home = where.startsWith('examples/') ? join(ROOT, where.slice(0, where.indexOf('/README'))) : ROOT
    const { scripts } = JSON.parse(
      readFileSync(existsSync(join(home, 'package.json')) ? join(home, 'package.json') : join(ROOT, 'package.json'), 'utf8'),
    )
    const [, script] = /^npm (?:run )?([\w:-]+)/.exec(words) ?? []
    const [, file] = /^(?:node|python|PYTHON) (\S+)|^(\.ci\/run)$/.exec(words)?.filter(Boolean) ?? []
    if (file) expect(existsSync(join(home, file)), file).toBe(true)
    else if (script && !['install', 'ci'].includes(script)) {
      expect(Object.keys(scripts)).toContain(script)
      const flags = [...(words.split(' -- ')[1] ?? '').matchAll(/--[\w-]+/g)].map(([flag]) => flag)
      if (flags.length === 0 || flags.includes('--write')) return
      const { stdout } = await run('npm', ['run', '--silent', script, '--', '--help'], { cwd: home })
      for (const flag of flags) expect(stdout).toContain(flag)
    } else expect(words).toMatch(/^npm (install|ci)\b/) // test/package
  })
})

test.each(snippetsIn('json'))('$where is a plan of a study', ({ code }) => {
  expect(resolvePlan(JSON.parse(code), folder).lengths.length).toBeGreaterThan(0)
})
