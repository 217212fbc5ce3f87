import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { inflateSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { ROOT, temporaryFolder } from '../api/helpers.js'
import { chromium, type Theme, visit } from '../report/chromium.js'

const site = temporaryFolder()

// A public name without a docstring, a type that a signature shows and index.ts does not export, and a link that leads nowhere are warnings, which fail the build
// (typedoc.json). Types are checked elsewhere.
beforeAll(() => {
  const typedoc = join(ROOT, 'node_modules', 'typedoc', 'bin', 'typedoc')
  const { status, stderr, stdout } = spawnSync(process.execPath, [typedoc, '--skipErrorChecking', '--out', site], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${stdout}${stderr}`)
}, 600_000)

const pages = () => readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'))

test('every page of docs/ is in the menu, by its heading', () => {
  const [, code] = /= "([^"]+)"/.exec(readFileSync(join(site, 'assets', 'navigation.js'), 'utf8'))!
  const menu = JSON.stringify(JSON.parse(inflateSync(Buffer.from(code!, 'base64')).toString()))
  for (const name of readdirSync(join(ROOT, 'docs')).filter((file) => file.endsWith('.md'))) {
    expect(menu).toContain(`docs_${basename(name, '.md')}.html`)
  }
  expect(menu).toContain('"Adapting and fine-tuning"')
})

test('the search knows pages, calls and options', () => {
  const [, code] = /= "([^"]+)"/.exec(readFileSync(join(site, 'assets', 'search.js'), 'utf8'))!
  const { rows } = JSON.parse(inflateSync(Buffer.from(code!, 'base64')).toString()) as { rows: { name: string; parent?: string }[] }
  const names = rows.map(({ name, parent }) => (parent ? `${parent.split('.').at(-1)}.${name}` : name))
  expect(names).toEqual(expect.arrayContaining(['Tuning', 'T5.tune', 'TuneOptions.microBatchSize', 'API.writeReport']))
})

test('all links within the site lead somewhere', () => {
  const anchors = new Map<string, Set<string>>()
  const anchorsOf = (file: string) => {
    if (!anchors.has(file)) anchors.set(file, new Set([...readFileSync(file, 'utf8').matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!)))
    return anchors.get(file)!
  }
  const broken = pages().flatMap((page) => {
    const file = join(site, page)
    const links = [...readFileSync(file, 'utf8').matchAll(/ href="([^"]+)"/g)].map(([, link]) => link!)
    const local = links.filter((link) => !/^[a-z]+:/.test(link) && link !== '#')
    return local.flatMap((link) => {
      const [path = '', anchor] = link.split('#').map(decodeURIComponent) as [string, string | undefined]
      const target = path === '' ? file : resolve(dirname(file), path)
      const found = existsSync(target) && (anchor === undefined || !target.endsWith('.html') || anchorsOf(target).has(anchor))
      return found ? [] : [`${page}: ${link}`]
    })
  })
  expect(pages().length).toBeGreaterThan(100)
  expect(broken).toEqual([])
})

test('no docstring was taken for markup where it speaks of `MODEL_*` or `</s>`', () => {
  const odd = pages().filter((page) => /_<em>|<\/em>_|<\/s>|<pad>|<unk>|<extra_id/.test(readFileSync(join(site, page), 'utf8')))
  expect(odd).toEqual([])
})

describe.skipIf(!chromium)('in Chromium', () => {
  const look = '[getComputedStyle(document.body).backgroundColor, document.documentElement.scrollWidth, innerWidth]'

  test.each<[string, Theme, number]>([
    ['index.html', 'light', 1280],
    ['index.html', 'dark', 390],
    ['documents/docs_performance.html', 'light', 390],
    ['interfaces/API.TuneOptions.html', 'dark', 1280],
  ])('%s in %s, %d pixels wide', async (page, theme, width) => {
    const { value, complaints } = await visit(join(site, page), theme, look, width)
    const [background, needed, given] = value as [string, number, number]
    const brightness = Number(/\d+/.exec(background)![0])
    expect(theme === 'dark' ? 255 - brightness : brightness).toBeGreaterThan(127)
    expect(needed).toBeLessThanOrEqual(given)
    expect(given).toBe(width)
    // Chromium complains of pictures that a file asks for; no script may fail.
    expect(complaints.filter((complaint) => complaint.includes('exceptionDetails'))).toEqual([])
  })
})
