import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { T5, TuneResult } from '../../src/index.js'
import { failure, load, TINY, TINY_RUN, temporaryFolder } from '../api/helpers.js'

const folder = temporaryFolder()
let tiny: T5
beforeAll(async () => {
  tiny = await load(TINY)
})

const options = { ...TINY_RUN, steps: 12 }

/** Runs until the checkpoint of step 3 is written, calls `spoil`, and gives what the run then rejects with. */
async function spoiled(path: string, spoil: () => void) {
  const run = tiny.tune({ ...options, steps: 1_000_000, optimizer: { name: 'adafactor' }, checkpoint: { path, every: 3 } })
  for await (const event of run) {
    if (event.type !== 'checkpoint') continue
    spoil()
    break
  }
  return failure(run.result)
}

describe('where a checkpoint can no longer be written', () => {
  test('the folder is gone: an error that names the file, and what was learned is kept', async () => {
    const gone = join(folder, 'gone')
    mkdirSync(gone)
    const error = await spoiled(join(gone, 'run.ckpt'), () => rmSync(gone, { recursive: true }))
    expect(error).toMatchObject({ code: 'FILE_WRITE', message: expect.stringContaining(join(gone, 'run.ckpt')) })
    const { prompt, report } = error.partial as TuneResult
    expect(prompt.data.every(Number.isFinite)).toBe(true)
    expect(report.steps).toBeGreaterThanOrEqual(6)
  })

  test('the disk is full: the same, and the last checkpoint is whole', async (context) => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk])
    if (mounted.status !== 0) context.skip('a disk that is full needs the right to mount one')
    try {
      const path = join(disk, 'run.ckpt')
      const error = await spoiled(path, () => {
        for (let i = 0; ; i++) {
          try {
            writeFileSync(join(disk, `filling-${i}`), Buffer.alloc(4096))
          } catch {
            return
          }
        }
      })
      expect(error).toMatchObject({ code: 'FILE_WRITE', message: expect.stringMatching(/run\.ckpt.*No space left/) })
      expect((error.partial as TuneResult).report.steps).toBeGreaterThanOrEqual(6)
      for (const file of readdirSync(disk)) if (file.startsWith('filling')) rmSync(join(disk, file))
      expect(readdirSync(disk)).toEqual(['run.ckpt'])
      const goesOn = {
        ...options,
        steps: 2_000_000,
        timeLimit: 0.1,
        optimizer: { name: 'adafactor' } as const,
        checkpoint: { path },
        resume: true,
      }
      const resumed = tiny.tune(goesOn)
      for await (const event of resumed) if (event.type === 'start') expect(event.resumedFrom).toBeGreaterThanOrEqual(3)
      expect((await resumed.result).report.stopped).toBe('timeLimit')
    } finally {
      spawnSync('umount', [disk])
    }
  })
})
