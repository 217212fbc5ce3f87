import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkWritable, writeWhole } from '../../src/writable.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'softprompt-writable-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a new file and an existing one may be written; nothing is left behind', async () => {
  await checkWritable(join(folder, 'new'), 'the prompt')
  writeFileSync(join(folder, 'old'), 'kept')
  await checkWritable(join(folder, 'old'), 'the prompt')
  expect(readdirSync(folder)).toEqual(['old'])
})

test('a folder, a missing folder and a pipe are refused', async () => {
  const refused = { code: 'FILE_NOT_WRITABLE' }
  await expect(checkWritable(folder, 'the prompt')).rejects.toMatchObject(refused)
  await expect(checkWritable(join(folder, 'no', 'file'), 'the prompt')).rejects.toMatchObject(refused)
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  await expect(checkWritable(pipe, 'the prompt')).rejects.toMatchObject({ ...refused, message: expect.stringContaining('no regular file') })
  expect(statSync(pipe).isFIFO()).toBe(true)
})

test('a file is written whole or not at all', async () => {
  const path = join(folder, 'page.html')
  await writeWhole(path, 'old', 'the page')
  await writeWhole(path, 'größer', 'the page')
  expect(readFileSync(path, 'utf8')).toBe('größer')
  await expect(writeWhole(join(folder, 'no', 'page'), 'x', 'the page')).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' })
  expect(readdirSync(folder)).toEqual(['page.html'])
})
