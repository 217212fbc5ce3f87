import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cli } from '../cli/helpers.js'
import { sha256, temporaryFolder } from '../libtorch/helpers.js'
import { COMMIT, fakeHub } from './fake-hub.js'

const FILES = { 'config.json': Buffer.from('{}'), 'model.safetensors': Buffer.from('weights') }

test('softprompt pull', async () => {
  const cache = temporaryFolder()
  const hub = await fakeHub({ 'org/tiny': { files: FILES, large: ['model.safetensors'], tokens: ['secret'] } })
  const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: '', HF_HUB_CACHE: cache, HF_TOKEN: '', HF_HUB_OFFLINE: '' }
  const path = join(cache, 'models--org--tiny', 'snapshots', COMMIT)

  const refused = await cli(['pull', 'org/tiny'], { env })
  expect([refused.code, refused.stdout]).toEqual([1, ''])
  expect(refused.stderr).toContain('error HUB_UNAUTHORIZED')

  const pulled = await cli(['pull', 'org/tiny', '--token', 'secret', '--json'], { env })
  expect(JSON.parse(pulled.stdout)).toEqual({ id: 'org/tiny', commit: COMMIT, path, files: Object.keys(FILES) })
  expect(pulled.stderr).toContain('here: model.safetensors')
  expect(existsSync(join(cache, 'models--org--tiny', 'blobs', sha256(FILES['model.safetensors'])))).toBe(true)

  const again = await cli(['pull', 'org/tiny', '--revision', 'v1'], { env: { ...env, HF_TOKEN: 'secret' } })
  expect([again.code, again.stdout]).toEqual([0, `${path}\n`])
  expect(again.stderr).toContain('use it: --model org/tiny@v1')

  expect(await cli(['pull', 'not a name'], { env })).toMatchObject({ code: 2, stderr: expect.stringContaining('ORG/NAME') })
  expect((await cli(['pull', '--help'])).stdout).toContain('HF_HUB_OFFLINE')
}, 60_000)
