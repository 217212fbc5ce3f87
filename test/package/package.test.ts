// The packed package, from a registry to a user's empty folder. Takes minutes: `npm run test:package`.
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { asCommonJs, asCts, readmeExample } from './example.js'
import { type Registry, startRegistry } from './registry.js'
import { installTools, mustRun, ROOT, sandbox, writeJson } from './sandbox.js'

vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 })

const LIBTORCH = `@softprompt/libtorch-${process.platform}-${process.arch}`
const user = sandbox()
let tool: (script: string) => string
let registry: Registry
let tarball: string

beforeAll(async () => {
  tool = await installTools(user.project('tools'))
  await mustRun('npm', ['run', 'prebuild'], { cwd: ROOT })
  const packages = user.project('packages')
  tarball = (await mustRun(process.execPath, ['scripts/pack.mjs', '--out', packages], { cwd: ROOT })).trim()
  const libtorch = (await mustRun(process.execPath, ['scripts/pack-libtorch.mjs', '--fast', '--out', packages], { cwd: ROOT })).trim()
  registry = await startRegistry(user.project('registry'), tool('verdaccio/bin/verdaccio'))
  await registry.publish(libtorch)
  await registry.publish(tarball)
})

afterAll(async () => {
  await registry?.stop()
  user.remove()
})

const node = (args: string[], cwd: string, env = user.env) => mustRun(process.execPath, args, { cwd, env })

/** A user's folder with the package in it. */
async function npmProject(name: string): Promise<string> {
  const folder = user.project(name)
  writeJson(join(folder, 'package.json'), { private: true })
  writeFileSync(join(folder, '.npmrc'), `registry=${registry.url}\ncache=${join(user.folder, 'npm-cache')}\n`)
  await mustRun('npm', ['install', 'softprompt', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    env: user.env,
  })
  return folder
}

/** The figures of the demo: that it learned something can't be asked of 20 steps, but that all of it ran. */
function expectDemo(stdout: string): void {
  const figures = JSON.parse(stdout) as { before: number; after: number; count: number; report: { steps: number } }
  expect(figures.count).toBe(700)
  expect(figures.report.steps).toBe(20)
  expect(figures.after).toBeGreaterThanOrEqual(figures.before)
}

const DEMO = ['demo', '--steps', '20', '--json']

describe('the tarball', () => {
  it('holds what users need and nothing else', async () => {
    const names = (await mustRun('tar', ['-tf', tarball])).trim().split('\n')
    const files = names.map((name) => name.replace(/^package\//, '').replace(/chunk-\w+/, 'chunk'))
    expect([...new Set(files)].sort()).toEqual(
      [
        ...['CHANGELOG.md', 'LICENSE', 'NOTICE', 'README.md', 'SECURITY.md', 'package.json'],
        ...['README.md', 'test.jsonl', 'train.jsonl', 'validation.jsonl'].map((name) => `examples/snips/${name}`),
        ...['chunk.js', 'cli.js', 'index.cjs', 'index.d.cts', 'index.d.ts', 'index.js'].map((name) => `lib/${name}`),
        ...['README.md', 'config.json', 'model.safetensors', 'spiece.model', 'tokenizer_config.json'].map((n) => `models/nano-t5/${n}`),
        ...['softprompt.glibc.node', 'softprompt_core.so'].map((name) => `prebuilds/linux-x64/${name}`),
      ].sort(),
    )
  })

  it('has nothing that publint or attw complain about', async () => {
    await node([tool('publint/src/cli.js'), tarball, '--strict'], user.folder)
    await node([tool('@arethetypeswrong/cli/dist/index.js'), tarball, '--no-emoji', '--no-color'], user.folder)
  })
})

describe('npm', () => {
  let folder: string
  const inPackage = () => join(folder, 'node_modules', 'softprompt')
  beforeAll(async () => {
    folder = await npmProject('npm')
  })

  it('installs LibTorch with it, and no lifecycle script', async () => {
    expect(readdirSync(join(folder, 'node_modules', LIBTORCH, 'lib')).sort()).toEqual(['libc10.so', 'libgomp.so.1', 'libtorch_cpu.so'])
    const licenses = ['LICENSE', 'asmjit', 'ittnotify', 'json', 'libgomp', 'mkl', 'third_party', 'xbyak']
    expect(readdirSync(join(folder, 'node_modules', LIBTORCH, 'licenses')).sort()).toEqual(licenses)
    const { scripts, devDependencies } = JSON.parse(readFileSync(join(inPackage(), 'package.json'), 'utf8'))
    expect({ scripts, devDependencies }).toEqual({})
    for (const name of readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.') && !name.startsWith('@'))) {
      const manifest = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'))
      for (const script of ['preinstall', 'install', 'postinstall'])
        expect(manifest.scripts?.[script], `${name}: ${script}`).toBeUndefined()
      expect(existsSync(join(folder, 'node_modules', name, 'binding.gyp')), name).toBe(false)
    }
  })

  it('finds the addon among the prebuilt ones and LibTorch in its package', async () => {
    const diagnosis = JSON.parse(await mustRun('npx', ['softprompt', 'doctor', '--json'], { cwd: folder, env: user.env }))
    expect(diagnosis).toMatchObject({ usable: true, problems: [], libtorch: { chosen: { source: 'package' } } })
    expect(diagnosis.libtorch.chosen.root).toContain(LIBTORCH)
  })

  it('runs the demo', async () => {
    expectDemo(await mustRun('npx', ['softprompt', ...DEMO], { cwd: folder, env: user.env }))
  })

  it.each([
    ['ES module', 'example.mjs', (code: string) => code],
    ['CommonJS', 'example.cjs', asCommonJs],
  ])("runs README's example as %s", async (_form, name, write) => {
    const file = join(folder, name)
    writeFileSync(file, write(readmeExample(join(folder, `${name}.safetensors`))))
    const stdout = await node([file], inPackage()) // its paths are those of the package
    expect(stdout).toContain('step 2: accuracy')
    expect(existsSync(join(folder, `${name}.safetensors`))).toBe(true)
  })

  it.each([
    ['node16', ['example.mts', 'example-cjs.cts']],
    ['bundler', ['example.mts']],
  ])("compiles README's example as TypeScript with moduleResolution %s, and runs it", async (moduleResolution, names) => {
    const project = join(folder, moduleResolution)
    const example = readmeExample(join(folder, 'typed.safetensors'))
    await mustRun('mkdir', [project])
    for (const name of names) writeFileSync(join(project, name), name.endsWith('.cts') ? asCts(example) : example)
    writeJson(join(project, 'tsconfig.json'), {
      compilerOptions: {
        module: moduleResolution === 'node16' ? 'node16' : 'esnext',
        moduleResolution,
        target: 'es2022',
        lib: ['es2023', 'esnext.disposable'],
        strict: true,
        types: ['node'],
        typeRoots: [tool('@types')],
        outDir: 'out',
      },
      files: names,
    })
    await node([tool('typescript/bin/tsc'), '-p', project], folder)
    const out = readdirSync(join(project, 'out'))
    expect(out.length).toBe(names.length)
    if (moduleResolution === 'node16') expect(await node([join(project, 'out', 'example.mjs')], inPackage())).toContain('step 2: accuracy')
  })
})

it('pnpm installs it, and the demo runs', async () => {
  const folder = user.project('pnpm')
  const pnpm = (...args: string[]) => node([tool('pnpm/bin/pnpm.cjs'), ...args], folder)
  writeJson(join(folder, 'package.json'), { private: true })
  writeFileSync(join(folder, '.npmrc'), `registry=${registry.url}\nstore-dir=${join(user.folder, 'pnpm-store')}\n`)
  await pnpm('add', 'softprompt', '--ignore-scripts')
  expectDemo(await pnpm('exec', 'softprompt', ...DEMO))
})

it("yarn installs it in its way without node_modules (Plug'n'Play), and the demo runs", async () => {
  const folder = user.project('yarn')
  const yarn = (...args: string[]) => node([tool('@yarnpkg/cli-dist/bin/yarn.js'), ...args], folder)
  writeJson(join(folder, 'package.json'), { private: true, name: 'user' })
  writeFileSync(join(folder, 'yarn.lock'), '')
  writeJson(join(folder, '.yarnrc.yml'), {
    npmRegistryServer: registry.url,
    unsafeHttpWhitelist: ['127.0.0.1'],
    enableTelemetry: false,
    enableScripts: false,
    enableImmutableInstalls: false,
    npmMinimalAgeGate: 0,
    globalFolder: join(user.folder, 'yarn-global'),
  })
  await yarn('add', 'softprompt')
  expect(existsSync(join(folder, 'node_modules'))).toBe(false)
  expectDemo(await yarn('run', 'softprompt', ...DEMO))
  copyFileSync(join(ROOT, 'test/package/children/files.mjs'), join(folder, 'files.mjs')) // its handles of files can do less than Node's
  expect(JSON.parse(await yarn('node', 'files.mjs'))).toEqual({ answered: 'string', steps: 1 })
})
