import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkWritable } from '../../src/writable.js'

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
