import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT, temporaryFolder } from '../api/helpers.js'

const folder = temporaryFolder()
const page = join(folder, 'results.md')
const cells = join(folder, 'cells')
const files = join(folder, 'files')

/** What the study tells while it goes on. */
async function study(...more: string[]): Promise<string> {
  const small = ['--steps', '2', '--length', '2', '--batch-size', '2', '--test-rows', '10', '--threads', '1']
  const command = [join(ROOT, 'bench', 'study', 'index.mjs'), '--out', page, '--cells', cells, '--files', files, ...small, ...more]
  const { stderr } = await promisify(execFile)(process.execPath, command, { cwd: ROOT })
  return stderr
}

const measured = (told: string) => told.split('\n').filter((line) => line.startsWith('measuring')).length

test('the study of tasks writes its table between its marks, goes on where it stopped, and measures nothing twice', async () => {
  writeFileSync(page, '# Results\n\nkept\n')
  expect(measured(await study('--seeds', '0'))).toBe(2)
  expect(measured(await study('--seeds', '0,1'))).toBe(2) // the second seed, and both together
  const whole = readFileSync(page, 'utf8')
  expect(await study('--seeds', '0,1')).toBe('')
  expect(readFileSync(page, 'utf8')).toBe(whole)
  expect(whole).toMatch(/^# Results\n\nkept\n\n<!-- study:tasks begin -->\n## Tasks\n/)
  expect(whole).toMatch(
    /\| snips: 7 intents \| no prompt \| \d+\.\d % \| {2}\| 10 \| {2}\| {2}\| {2}\|\n\| {2}\| softprompt \(2 seeds\) \| \d+\.\d % \(\d+\.\d to \d+\.\d\) \|/,
  )
  expect(whole).toMatch(/\| {2}\| softprompt, an ensemble of the 2 \| \d+\.\d % \|/)

  // Another folder of data, with text around the table, and a task from it.
  const data = join(folder, 'data', 'mr')
  mkdirSync(data, { recursive: true })
  const rows = Array.from({ length: 8 }, (_, i) => JSON.stringify({ input: `film ${i}`, target: i % 2 ? 'positive' : 'negative' }))
  for (const part of ['train', 'validation', 'test']) writeFileSync(join(data, `${part}.jsonl`), rows.join('\n'))
  writeFileSync(page, `${whole}\nbehind\n`)
  await study('--seeds', '0', '--tasks', 'mr', '--data', join(folder, 'data'))
  const other = readFileSync(page, 'utf8')
  expect(other).toContain('| mr: polarity of film reviews | no prompt |')
  expect(other).not.toContain('snips')
  expect([other.startsWith('# Results\n\nkept\n'), other.endsWith('<!-- study:tasks end -->\n\nbehind\n')]).toEqual([true, true])
})

test('a cell that is missing is measured again; its prompts are made again only for an ensemble that is', async () => {
  const remove = (folder: string, start: string) => {
    for (const name of readdirSync(folder).filter((name) => name.startsWith(start))) rmSync(join(folder, name))
  }
  remove(cells, 'snips-softprompt')
  expect(measured(await study('--seeds', '1'))).toBe(1)
  remove(files, 'snips-softprompt')
  expect(await study('--seeds', '1')).toBe('')
  expect(readdirSync(files).filter((name) => name.startsWith('snips-softprompt'))).toEqual([])
  remove(cells, 'snips-ensemble')
  expect(measured(await study('--seeds', '0,1', '--systems', 'ensemble'))).toBe(1)
  expect(readdirSync(files).filter((name) => name.startsWith('snips-softprompt'))).toHaveLength(2)
})

test('cells name no folder of this machine', () => {
  for (const name of readdirSync(cells)) expect(readFileSync(join(cells, name), 'utf8')).not.toMatch(/"\/|\\\\/)
})

test('a system or task that there is none of is refused', async () => {
  await expect(study('--systems', 'peft,sklearn')).rejects.toThrow("There is no system 'sklearn'")
  await expect(study('--tasks', 'sst2')).rejects.toThrow("There is no task 'sst2'")
})
