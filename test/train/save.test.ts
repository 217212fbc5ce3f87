import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { T5 } from '../../src/index.js'
import { failure, load, NANO, TINY, temporaryFolder } from '../api/helpers.js'
import { create, SMALL_CONFIG, scoresOf } from './helpers.js'

const folder = temporaryFolder()

test('a saved folder loads with the same answers, and without a trace of the writing', async () => {
  const fresh = await create()
  const path = join(folder, 'fresh')
  await fresh.save(path)
  expect(readdirSync(path).sort()).toEqual(['config.json', 'model.safetensors', 'spiece.model', 'tokenizer_config.json'])
  expect(readdirSync(folder)).toEqual(['fresh'])
  expect(JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))).toMatchObject({
    ...SMALL_CONFIG,
    d_kv: 16,
    model_type: 't5',
    dtype: 'float32',
  })
  const again = await load(path)
  expect(again.fingerprint).toBe(fresh.fingerprint)
  expect(again.tokenizer!.encode('play some jazz')).toEqual(fresh.tokenizer!.encode('play some jazz'))
  expect(await scoresOf(again)).toEqual(await scoresOf(fresh))
  await fresh.dispose()
})

test('a loaded model is saved as it is', async () => {
  const t5 = await load(NANO, { dtype: 'bfloat16' })
  const path = join(folder, 'nano')
  await t5.save(path, { dtype: 'bfloat16' })
  expect((await load(path)).fingerprint).toBe((await load(NANO)).fingerprint)
})

describe('where it cannot be saved', () => {
  test.each([
    ['a file is there', () => writeFileSync(join(folder, 'file'), ''), 'file', /it is a file/],
    ['a folder with other files is', () => mkdirSync(join(folder, 'mine', 'photos'), { recursive: true }), 'mine', /holds photos/],
    ['there is no folder to put it in', () => {}, 'no/such/place', /no\/such is not a folder/],
  ])('%s: nothing is touched', async (_, prepare, name, message) => {
    prepare()
    const t5 = await load(TINY)
    const before = readdirSync(folder, { recursive: true })
    expect(await failure(t5.save(join(folder, name)))).toMatchObject({ code: 'FILE_NOT_WRITABLE', message: expect.stringMatching(message) })
    expect(readdirSync(folder, { recursive: true })).toEqual(before)
  })

  test('the disk is full: an error, and what was there stays', async (context) => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status !== 0)
      context.skip('a disk that is full needs the right to mount one')
    try {
      const tiny = await load(TINY)
      await tiny.save(join(disk, 'model'))
      const big = await create()
      expect(await failure(big.save(join(disk, 'model')))).toMatchObject({ code: 'FILE_WRITE' })
      await big.dispose()
      expect(readdirSync(disk)).toEqual(['model'])
      expect((await load(join(disk, 'model'))).fingerprint).toBe(tiny.fingerprint)
    } finally {
      spawnSync('umount', [disk])
    }
  })
})

describe('a config that is none', () => {
  test.each([
    [
      'heads that do not divide the width',
      { ...SMALL_CONFIG, num_heads: 5 },
      'CONFIG_INVALID',
      /d_model 32 cannot be divided among 5 heads/,
    ],
    ['a field that is missing', { ...SMALL_CONFIG, d_ff: undefined }, 'CONFIG_INVALID', /d_ff/],
    ['fewer ids than the tokenizer has', { ...SMALL_CONFIG, vocab_size: 100 }, 'CONFIG_INVALID', /vocab_size is 100/],
    ['an activation that is unknown', { ...SMALL_CONFIG, feed_forward_proj: 'sine' }, 'CONFIG_UNSUPPORTED', /sine/],
    ['something else', 3, 'OPTION_INVALID', /'config' is 3/],
    ['no file', 'no/such/config.json', 'FILE_NOT_FOUND', /no\/such/],
    ['a file of another kind', join(NANO, 'README.md'), 'CONFIG_INVALID', /README\.md/],
  ])('%s', async (_, config, code, message) => {
    const { d_ff, ...rest } = config as { d_ff?: number }
    const given = typeof config === 'object' && d_ff === undefined ? rest : config
    expect(await failure(T5.create(given as never, { tokenizer: NANO }))).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test('a tokenizer that is none', async () => {
    expect(await failure(T5.create(SMALL_CONFIG, { tokenizer: folder }))).toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('the path of a config, or of its folder, does', async () => {
    const t5 = await T5.create(TINY, { threads: 1, device: 'cpu' })
    expect(t5.config).toMatchObject({ dModel: 48, vocabSize: 120 })
    expect(t5.tokenizer).toBeNull()
    expect(existsSync(t5.info.path)).toBe(false)
    await t5.dispose()
  })
})
