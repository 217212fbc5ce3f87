// examples/electron as far as it runs without Electron: its archive, its computing process from inside the archive, its page in a browser. Where
// ELECTRON_OVERRIDE_DIST_PATH names a folder with Electron's binary, the real app too.
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listPackage } from '@electron/asar'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Calls, callsTo, type TuneFigures } from '../../examples/electron/calls.mjs'
import { ROOT, snips, temporaryFolder } from '../api/helpers.js'
import { LIBTORCH } from '../package/installed.js'
import { mustRun } from '../package/sandbox.js'
import { asSeenByJavaScript, packApp } from './electron/app.js'
import { findBrowser, openPage, servePage } from './electron/browser.js'

const STEPS = 10
const folder = temporaryFolder()
const csv = join(folder, 'requests.csv')
let resources: string
let child: ChildProcess
let calls: Calls

beforeAll(async () => {
  const rows = snips('train', 80).map(({ input, target }) => `"${input}","${target}"`)
  writeFileSync(csv, `input,target\n${rows.join('\n')}\n`)
  resources = await packApp(folder)
})

afterAll(() => child?.kill())

describe('the archive', () => {
  it('keeps the addon and LibTorch beside it, and the rest inside', () => {
    const names = listPackage(join(resources, 'app.asar'), { isPack: true })
    const outside = names.filter((line) => line.startsWith('unpack')).map((line) => line.replace(/^unpack\s*:\s*/, ''))
    const prebuilt = `/node_modules/softprompt/prebuilds/linux-x64`
    expect(outside).toEqual(expect.arrayContaining([`${prebuilt}/softprompt.glibc.node`, `${prebuilt}/softprompt_core.so`]))
    expect(outside.filter((name) => !name.includes('/prebuilds') && !name.includes('/@softprompt'))).toEqual([])
    for (const name of ['softprompt.glibc.node', 'softprompt_core.so'])
      expect(existsSync(join(resources, 'app.asar.unpacked', prebuilt, name))).toBe(true)
    expect(names.join('\n')).toContain('/tuner.mjs')
  })
})

describe('the computing process, run from inside the archive', () => {
  beforeAll(() => {
    const app = asSeenByJavaScript(resources)
    const env = { ...process.env, SOFTPROMPT_LIBTORCH: undefined }
    child = fork(join(app, 'tuner.mjs'), [join(resources, 'nano-t5'), String(STEPS)], { cwd: folder, env })
    calls = callsTo(child)
  })

  it('tunes on a CSV file, telling each step, and answers', async () => {
    const events: TuneFigures[] = []
    const { rows, dModel } = await calls.tune(csv, (event) => events.push(event))
    expect([rows, dModel]).toEqual([100, 192])
    expect(events.filter(({ loss }) => loss !== undefined).map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1))
    expect(events.some(({ accuracy }) => accuracy !== undefined)).toBe(true)
    expect(typeof (await calls.ask('play some jazz'))).toBe('string')
  })

  it.runIf(process.platform === 'linux')('has opened the addon and LibTorch from app.asar.unpacked', () => {
    const maps = readFileSync(`/proc/${child.pid}/maps`, 'utf8')
    for (const name of ['softprompt.glibc.node', 'softprompt_core.so']) {
      const path = maps.split('\n').find((line) => line.endsWith(`/${name}`))
      expect(path).toContain(`${resources}/app.asar.unpacked/node_modules/softprompt/prebuilds`)
    }
    expect(maps).toContain('libtorch_cpu.so')
    expect(existsSync(join(resources, 'app.asar.unpacked', 'node_modules', LIBTORCH, 'package.json'))).toBe(true)
  })

  it('rejects with the code where the data cannot be read', async () => {
    await expect(calls.tune(join(folder, 'none.csv'))).rejects.toMatchObject({ code: 'DATA_FILE_NOT_FOUND' })
  })

  it('shows it all on its page, in a browser', async ({ skip }) => {
    const browser = await findBrowser()
    if (!browser) return skip('no Chromium on the PATH')
    const page = await servePage(calls, csv)
    try {
      const dom = await openPage(browser, page.url, join(folder, 'profile'))
      expect(dom).toMatch(/id="status"[^>]*>Learned 100 × 192 numbers/)
      expect(dom).toContain('requests.csv')
      expect(/points="([^"]*)"/.exec(dom)?.[1]?.split(' ')).toHaveLength(STEPS)
      expect(dom).toMatch(/<circle class="accuracy"/)
      const answer = /<output id="answer">([^<]*)</.exec(dom)?.[1]
      expect(answer).toBe(await calls.ask('play some jazz'))
      const picture = process.env.SOFTPROMPT_SCREENSHOT
      if (picture) await openPage(browser, page.url, join(folder, 'profile'), picture)
    } finally {
      page.close()
    }
  })

  it('ends when it is told to', async () => {
    await calls.close()
    child.disconnect()
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe.runIf(process.platform === 'linux')('the modules, as Electron wants them', () => {
  const nm = async (name: string, ...options: string[]) => {
    const file = join(ROOT, 'build/Release', name)
    return (await promisify(execFile)('nm', ['-D', '--format=just-symbols', ...options, file])).stdout.split('\n').filter(Boolean)
  }

  it.each(['softprompt.node', 'softprompt_core.so'])('%s makes no external buffer and exports its entry alone', async (name) => {
    expect((await nm(name, '--undefined-only')).filter((symbol) => /external_(array)?buffer|^g_|^gtk/.test(symbol))).toEqual([])
    const exported = (await nm(name, '--defined-only')).map((symbol) => symbol.split('@')[0])
    expect(exported.filter((symbol) => !/^(napi_register_module_v1|node_api_module_get_api_version_v1)$/.test(symbol ?? ''))).toEqual([])
  })
})

it('runs in Electron', async ({ skip }) => {
  const dist = process.env.ELECTRON_OVERRIDE_DIST_PATH
  if (!dist) return skip('no Electron: set ELECTRON_OVERRIDE_DIST_PATH to the folder of its binary')
  const again = await packApp(temporaryFolder())
  const drive = join(ROOT, 'test/examples/electron/drive.mjs')
  const stdout = await mustRun('xvfb-run', ['-a', join(dist, 'electron'), '--no-sandbox', join(again, 'app.asar')], {
    env: { ...process.env, CSV: csv, STEPS: String(STEPS), DRIVE: drive, SOFTPROMPT_LIBTORCH: undefined },
  })
  expect(stdout).toContain('Learned 100 × 192 numbers')
})
