import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT } from '../api/helpers.js'

export interface Snippet {
  /** 'docs/data.md, line 22' */
  where: string
  code: string
}

const PAGES = ['.', 'docs', 'docs/decisions', 'models', 'examples']

/** The documentation's pages. */
export function pages(): string[] {
  return PAGES.flatMap((folder) => filesIn(folder, '.md', folder === 'models' || folder === 'examples'))
}

/** The JavaScript and TypeScript of the documentation's pages, and of the `@example`s in the source. */
export function snippets(): Snippet[] {
  return [...pages().flatMap((page) => fenced(page, 'js|ts')), ...filesIn('src', '.ts', true).flatMap(examples)]
}

/** What the pages show of another language. */
export function snippetsIn(language: 'sh' | 'json'): Snippet[] {
  return pages().flatMap((page) => fenced(page, language))
}

export function filesIn(folder: string, ending: string, deep = false): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: deep, encoding: 'utf8' })
  return names.filter((name) => name.endsWith(ending) && !name.includes('node_modules')).map((name) => join(ROOT, folder, name))
}

function fenced(path: string, languages: string): Snippet[] {
  const blocks = readFileSync(path, 'utf8').matchAll(new RegExp(`^\`\`\`(?:${languages})\\n(.*?)^\`\`\`$`, 'gms'))
  return [...blocks].map(({ 1: code = '', index, input }) => ({ where: placeOf(path, input, index), code }))
}

function examples(path: string): Snippet[] {
  const blocks = readFileSync(path, 'utf8').matchAll(/^ *\* @example\n((?: *\*(?!\/).*\n)+?)(?= *\*\/| *\* @)/gm)
  return [...blocks].map(({ 1: comment = '', index, input }) => ({
    where: placeOf(path, input, index),
    code: comment.replace(/^ *\* ?/gm, ''),
  }))
}

function placeOf(path: string, text: string, index: number): string {
  return `${relative(ROOT, path)}, line ${text.slice(0, index).split('\n').length}`
}
