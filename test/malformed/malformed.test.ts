// Several hundred files that lie (corpus.mjs), each opened as a user would: a typed error with the right code, or the sound result where the
// file is valid after all; and no file makes the process grow by more than 64 MB.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { convert } from '../../src/index.js'
import { ROOT, TINY } from '../api/helpers.js'
import { type Case, corpus } from './corpus.mjs'
import { layOut } from './layout.mjs'

const MOST_GROWTH = 64 << 20

interface Outcome {
  name: string
  code: string
  message: string
  isTyped: boolean
  grown: number
  ms: number
}

const folder = mkdtempSync(join(tmpdir(), 'softprompt-malformed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sound = { config: join(TINY, 'config.json'), weights: join(TINY, 'model.safetensors') }
let cases: Case[] = []
const outcomes = new Map<string, Outcome>()

beforeAll(async () => {
  const pt = join(folder, 'sound.pt')
  await convert(TINY, pt, { dtype: 'float32' })
  cases = corpus({
    config: readFileSync(sound.config, 'utf8'),
    weights: readFileSync(sound.weights),
    pt: readFileSync(pt),
    spiece: readFileSync(join(ROOT, 'test/fixtures/tokenizer/tiny26/spiece.model')),
  })
  const list = cases.map((item, i) => ({ name: item.name, as: item.as, path: layOut(item, join(folder, `${i}`), sound) }))
  // The process warms up on sound files: what it needs once is not laid to a case's charge.
  const warm = [
    { name: 'warm', as: 'model', path: TINY },
    { name: 'warm', as: 'pt', path: pt },
    { name: 'control', as: 'control', path: '' }, // takes 100 MB: the measure sees it
  ]
  writeFileSync(join(folder, 'list.json'), JSON.stringify([...warm, ...list]))
  for (const outcome of await openAll(join(folder, 'list.json'))) outcomes.set(outcome.name, outcome)
}, 600_000)

function openAll(list: string): Promise<Outcome[]> {
  const script = fileURLToPath(new URL('open.mjs', import.meta.url))
  const child = spawn(process.execPath, ['--expose-gc', script, list], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  return new Promise((resolve) => {
    child.once('close', () =>
      resolve(
        text
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
      ),
    )
  })
}

describe('files that lie', () => {
  it('are at least 300, of every format', () => {
    expect(cases.length).toBeGreaterThanOrEqual(300)
    expect(cases.filter(({ codes }) => !codes.includes('ok')).length).toBeGreaterThanOrEqual(300)
    expect(new Set(cases.map(({ as }) => as))).toEqual(new Set(['model', 'pt', 'prompt', 'inspect']))
  })

  it('all get an answer, and none ends the process', () => {
    expect(cases.filter(({ name }) => !outcomes.has(name)).map(({ name }) => name)).toEqual([])
  })

  it('are refused by a typed error with the right code, or load where they are sound', () => {
    const wrong = cases.flatMap(({ name, codes }) => {
      const { code, message, isTyped } = outcomes.get(name)!
      return codes.includes(code) && isTyped ? [] : [`${name}: ${code} (${message.slice(0, 160)}), not ${codes.join(' or ')}`]
    })
    expect(wrong).toEqual([])
  })

  it('are named in the message, with what is wrong', () => {
    for (const { name, code, message } of outcomes.values()) {
      if (code === 'ok') continue
      expect(message, name).toContain(folder)
      expect(message.length, name).toBeLessThan(2000)
    }
  })

  it('make the process grow by no more than 64 MB', () => {
    expect(outcomes.get('control')!.grown).toBeGreaterThan(MOST_GROWTH)
    const large = cases.map(({ name }) => outcomes.get(name)!).filter(({ grown }) => grown > MOST_GROWTH)
    expect(large.map(({ name, grown }) => `${name}: ${Math.round(grown / 2 ** 20)} MB`)).toEqual([])
  })

  it('are not run', () => {
    expect(existsSync('/tmp/softprompt-was-here')).toBe(false)
  })

  it('tells which took longest', () => {
    const all = cases.map(({ name }) => outcomes.get(name)!)
    const [slowest] = all.toSorted((a, b) => b.ms - a.ms)
    const [largest] = all.toSorted((a, b) => b.grown - a.grown)
    console.info(
      `${cases.length} files; the slowest answer took ${slowest!.ms} ms (${slowest!.name}), the largest ${(largest!.grown / 2 ** 20).toFixed(1)} MB (${largest!.name})`,
    )
    expect(slowest).toBeDefined()
  })
})
