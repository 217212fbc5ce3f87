// One binary for every Node: what it computes is the same to the bit. The npm packages node-<platform>-<arch> carry Node itself.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { mustRun, ROOT, run, sandbox, writeJson } from './sandbox.js'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 })

const MUST = ['20.20.2', '22.23.3']
const REPORTED = ['24.21.0', '26.10.0']

const user = sandbox()
const binaries = new Map<string, string>()
let expected: string

const env = { ...process.env, PREBUILDS_ONLY: '1' }
const child = join(ROOT, 'test/package/children/same.mjs')

beforeAll(async () => {
  await mustRun('npm', ['run', 'prebuild'], { cwd: ROOT })
  expected = await mustRun(process.execPath, [child], { env })
  for (const version of [...MUST, ...REPORTED]) {
    const folder = user.project(`node-${version}`)
    writeJson(join(folder, 'package.json'), { private: true })
    const name = `node-${process.platform}-${process.arch}`
    await mustRun('npm', ['install', `${name}@${version}`, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
    })
    binaries.set(version, join(folder, 'node_modules', name, 'bin', 'node'))
  }
})

afterAll(() => user.remove())

const binary = (version: string) => binaries.get(version) as string

it.each(MUST)('Node %s computes the same', async (version) => {
  expect((await mustRun(binary(version), ['--version'])).trim()).toBe(`v${version}`)
  expect(await mustRun(binary(version), [child], { env })).toBe(expected)
})

it.each(REPORTED)('Node %s is reported', async (version) => {
  const { code, stdout, stderr } = await run(binary(version), [child], { env })
  const outcome = code !== 0 ? `ends with ${code}: ${stderr}` : stdout === expected ? 'computes the same' : `computes ${stdout}`
  process.stdout.write(`Node ${version} ${outcome}\n`)
})
