import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, describe, expect, test } from 'vitest'
import { ROOT } from '../api/helpers.js'
import { filesIn, snippets } from './snippets.js'

// Inside the package, so that 'softprompt' is this package when a snippet runs.
mkdirSync(join(ROOT, 'build'), { recursive: true })
const folder = mkdtempSync(join(ROOT, 'build', 'snippets-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What snippets take for granted. A snippet's own declarations and imports stand before these. */
const GIVEN = `
import type * as api from '${ROOT}/src/index.ts'
declare global {
  const { T5, SoftPrompt, SoftPromptError, convert, inspectFile, pull, writeReport }: typeof api
  const t5: api.T5, run: api.TuneRun, result: api.TuneResult, prompt: api.SoftPrompt, reviews: api.SoftPrompt, intents: api.SoftPrompt
  const runs: api.RunResult[], askAPerson: () => void
  const train: api.Example[], validation: api.Example[], database: { iterate(query: string): Iterable<object> }
}
`

const all = snippets()

test('there are snippets to check', () => {
  expect(all.map(({ where }) => where.split(',')[0])).toEqual(
    expect.arrayContaining(['README.md', 'docs/data.md', 'docs/errors.md', 'src/model.ts']),
  )
})

test('what the documentation shows fits the types', () => {
  const given = join(folder, 'given.ts')
  writeFileSync(given, GIVEN)
  const files = all.map(({ code }, i) => {
    const file = join(folder, `${i}.ts`)
    writeFileSync(file, `${code}\nexport {}\n`)
    return file
  })
  const program = ts.createProgram([given, ...files], {
    ...{
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules', '@types')],
    },
    ...{ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, allowImportingTsExtensions: true, noEmit: true },
    ...{
      strict: true,
      noImplicitAny: false,
      skipLibCheck: true,
      resolveJsonModule: true,
      paths: { softprompt: [join(ROOT, 'src', 'index.ts')] },
    },
  })
  const complaints = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const index = file ? files.indexOf(resolve(file.fileName)) : -1
    const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0
    return `${all[index]?.where ?? file?.fileName}, line ${line} of the snippet: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
  expect(complaints).toEqual([])
})

test('the snippet about errors runs, and catches what it says', async () => {
  const { code } = all.find(({ where, code }) => where.startsWith('README.md') && code.includes('no/such/model'))!
  const file = join(folder, 'errors.mjs')
  writeFileSync(file, `import { SoftPromptError, T5 } from 'softprompt'\n${code}`)
  const { stderr } = await promisify(execFile)(process.execPath, [file], { cwd: ROOT })
  expect(stderr).toContain('no/such/model')
})

describe('the pages', () => {
  const pages = [...filesIn('.', '.md'), ...filesIn('docs', '.md', true)]

  test.each(pages)('%s links to what is there', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)(#[^)\s]*)?\)/g)].map(([, target]) => target!)
    const local = links.filter((link) => !/^[a-z]+:/.test(link))
    expect(local.filter((link) => !existsSync(resolve(dirname(page), link)))).toEqual([])
  })

  test('docs/README.md names every page', () => {
    const index = readFileSync(join(ROOT, 'docs', 'README.md'), 'utf8')
    const others = filesIn('docs', '.md').map((page) => page.split('/').at(-1)!)
    expect(others.filter((name) => name !== 'README.md' && !index.includes(`(${name})`))).toEqual([])
  })
})
