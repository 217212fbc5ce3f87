import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SoftPrompt, SoftPromptError } from '../../src/index.js'
import { failure, temporaryFolder, wavyPrompt } from './helpers.js'

const folder = temporaryFolder()

describe('SoftPrompt.fromArray', () => {
  test('copies its numbers', () => {
    const data = new Float32Array([1, 2, 3, 4])
    const prompt = SoftPrompt.fromArray(data, { rows: 2, dModel: 2, metadata: { task: 'x' } })
    data[0] = 9
    expect(prompt).toMatchObject({ rows: 2, dModel: 2, metadata: { task: 'x' } })
    expect([...prompt.data]).toEqual([1, 2, 3, 4])
  })

  test.each<[string, string, () => unknown]>([
    ['OPTION_INVALID', '2 x 3 = 6', () => SoftPrompt.fromArray(new Float32Array(5), { rows: 2, dModel: 3 })],
    ['OPTION_INVALID', "'data'", () => SoftPrompt.fromArray([1, 2] as unknown as Float32Array, { rows: 1, dModel: 2 })],
    ['OPTION_INVALID', "'rows'", () => SoftPrompt.fromArray(new Float32Array(0), { rows: 0, dModel: 2 })],
    [
      'OPTION_INVALID',
      "'metadata.n'",
      () => SoftPrompt.fromArray(new Float32Array(2), { rows: 1, dModel: 2, metadata: { n: 1 } as never }),
    ],
    ['PROMPT_NOT_FINITE', 'row 1, column 0', () => SoftPrompt.fromArray(new Float32Array([1, 2, Number.NaN, 4]), { rows: 2, dModel: 2 })],
  ])('%s: %s', (code, message, make) => {
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }))
  })
})

describe('prompt files', () => {
  test('safetensors keep numbers and metadata', async () => {
    const prompt = wavyPrompt(3, 5, { task: 'reviews', labels: '["a","b"]' })
    const path = join(folder, 'p.safetensors')
    await prompt.save(path)
    const loaded = await SoftPrompt.load(path)
    expect(loaded).toBeInstanceOf(SoftPrompt)
    expect(loaded.data).toEqual(prompt.data)
    expect(loaded).toMatchObject({ rows: 3, dModel: 5, metadata: { task: 'reviews', labels: '["a","b"]' } })
  })

  test('.npy keeps the numbers, by option or by name', async () => {
    const prompt = wavyPrompt(4, 6, { task: 'x' })
    const paths = [join(folder, 'named.npy'), join(folder, 'asked')]
    await prompt.save(paths[0]!)
    await prompt.save(paths[1]!, { format: 'npy' })
    for (const path of paths) {
      expect(readFileSync(path).subarray(1, 6).toString()).toBe('NUMPY')
      expect((await SoftPrompt.load(path)).data).toEqual(prompt.data)
    }
  })

  test('bad files and paths', async () => {
    const garbage = join(folder, 'garbage')
    writeFileSync(garbage, 'this is no prompt')
    expect(await failure(SoftPrompt.load(join(folder, 'none')))).toMatchObject({
      code: 'PROMPT_FILE_NOT_FOUND',
      message: expect.stringContaining('none'),
    })
    expect(await failure(SoftPrompt.load(garbage))).toMatchObject({
      code: 'PROMPT_FILE_INVALID',
      message: expect.stringContaining(garbage),
    })
    const isFolder = join(folder, 'folder')
    mkdirSync(isFolder)
    for (const path of [join(folder, 'missing', 'p.safetensors'), isFolder]) {
      const error = await failure(wavyPrompt(1, 4).save(path))
      expect(error).toMatchObject({ code: 'FILE_WRITE' })
      expect(SoftPromptError.isInstance(error)).toBe(true)
    }
  })

  test('an aborted signal, and wrong options', async () => {
    const reason = new Error('no more')
    expect(await failure(SoftPrompt.load('x', { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(await failure(wavyPrompt(1, 4).save('x', { format: 'pickle' as never }))).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await failure(SoftPrompt.load('' as string))).toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('a failure shows where the call was made', async () => {
    const error = await failure(SoftPrompt.load(join(folder, 'none')))
    expect(error.stack).toContain('prompt.test.ts')
  })
})
