// Set-ups that are broken in the ways that users meet, each made for real: the doctor names the one command that mends it.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { findLibtorch } from '../../src/libtorch/find.js'
import { cachedCuda, cachedLibtorch } from '../../src/libtorch/folder.js'
import { tinyLibrary } from '../libtorch/helpers.js'
import { copyInstalled, LIBTORCH } from '../package/installed.js'
import { run } from '../package/sandbox.js'

vi.setConfig({ hookTimeout: 300_000 })

const INSTALL = 'npx softprompt libtorch install'
const isRoot = process.getuid?.() === 0

let machine: string
let cli: string
let real: string
let folder: string
const mounted: string[] = []

beforeAll(async () => {
  machine = mkdtempSync(join(tmpdir(), 'softprompt-doctor-'))
  chmodSync(machine, 0o755) // one of the users is not the one who runs this
  cli = join(await copyInstalled(machine), 'lib', 'cli.js')
  real = (await findLibtorch()).chosen?.lib as string
})
beforeEach(() => {
  folder = mkdtempSync(join(machine, 'case-'))
  chmodSync(folder, 0o755)
})
afterEach(() => {
  for (const place of mounted.splice(0)) execFileSync('umount', [place])
})
afterAll(() => rmSync(machine, { recursive: true, force: true }))

interface Report {
  usable: boolean
  findings: { severity: string; message: string; command: string }[]
}

/** The doctor's report on a machine with an empty home and no Python. */
async function doctor(env: NodeJS.ProcessEnv = {}, uid?: number): Promise<Report> {
  const clean = { PATH: '', HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), ...env }
  const { code, stdout, stderr } = await run(process.execPath, [cli, 'doctor', '--json'], { cwd: folder, env: clean, uid })
  const report = stdout ? (JSON.parse(stdout) as Report) : expect.fail(stderr)
  expect(code).toBe(report.usable ? 0 : 1)
  return report
}

/** The problem that the doctor names with exactly this command. */
async function expectProblem(command: string, message: RegExp, env: NodeJS.ProcessEnv = {}, uid?: number): Promise<void> {
  const { usable, findings } = await doctor(env, uid)
  expect(findings).toEqual([{ severity: 'problem', message: expect.stringMatching(message), command }])
  expect(usable).toBe(false)
}

async function expectWarning(command: string, message: RegExp, env: NodeJS.ProcessEnv): Promise<void> {
  const { usable, findings } = await doctor(env)
  expect(findings).toEqual([{ severity: 'warning', message: expect.stringMatching(message), command }])
  expect(usable).toBe(true)
}

/** A folder's `lib` with the libraries of a whole LibTorch, as links. */
function linkLibtorch(root: string): string {
  mkdirSync(join(root, 'lib'), { recursive: true })
  for (const name of readdirSync(real)) symlinkSync(join(real, name), join(root, 'lib', name))
  return root
}

const inCache = () => cachedLibtorch(join(folder, 'cache', 'softprompt'))

function fillCache(libraries: Record<string, Buffer | null>): string {
  const root = inCache()
  mkdirSync(join(root, 'lib'), { recursive: true })
  writeFileSync(join(root, 'softprompt-libtorch.json'), JSON.stringify({ version: '2.13.0+cpu' }))
  for (const [name, bytes] of Object.entries(libraries)) {
    if (bytes) writeFileSync(join(root, 'lib', name), bytes)
    else copyFileSync(join(real, name), join(root, 'lib', name))
  }
  return root
}

/** Compiles a library that holds nothing; `more`: other arguments for the compiler. */
function compile(path: string, ...more: string[]): void {
  mkdirSync(dirname(path), { recursive: true })
  execFileSync('cc', ['-shared', '-fPIC', '-nostdlib', '-x', 'c', '/dev/null', '-x', 'none', ...more, '-o', path])
}

/** An environment in which the dynamic linker finds a driver of NVIDIA, though one that does nothing. */
function withDriver(): NodeJS.ProcessEnv {
  compile(join(folder, 'driver', 'libcuda.so.1'))
  return { SOFTPROMPT_LIBTORCH: folder, LD_LIBRARY_PATH: join(folder, 'driver') }
}

function mountTmpfs(path: string, options: string): void {
  mkdirSync(path, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  mounted.push(path)
}

describe.runIf(process.platform === 'linux')('the doctor finds', () => {
  it('that there is no LibTorch', async () => {
    await expectProblem(INSTALL, /LIBTORCH_NOT_FOUND/)
  })

  it('that the variable leads nowhere', async () => {
    await expectProblem('unset SOFTPROMPT_LIBTORCH', /does not exist/, { SOFTPROMPT_LIBTORCH: join(folder, 'none') })
  })

  it('a LibTorch of another version', async () => {
    for (const name of ['libc10.so', 'libtorch_cpu.so']) compile(join(folder, 'lib', name), `-Wl,-soname,${name}`)
    writeFileSync(join(folder, 'build-version'), '2.12.1+cpu\n')
    await expectProblem('unset SOFTPROMPT_LIBTORCH', /2\.12\.1\+cpu is not a 2\.13/, { SOFTPROMPT_LIBTORCH: folder })
  })

  it('a LibTorch with CUDA where there is no driver', async ({ skip }) => {
    if (existsSync('/proc/driver/nvidia/version')) return skip('this machine has a driver')
    writeFileSync(join(linkLibtorch(folder), 'lib', 'libtorch_cuda.so'), tinyLibrary())
    await expectWarning('unset SOFTPROMPT_LIBTORCH', /with CUDA, but no driver.*libcuda\.so\.1.*computes on the CPU/, {
      SOFTPROMPT_LIBTORCH: folder,
    })
  })

  it('a LibTorch with CUDA that lacks what it needs for it', async () => {
    const libraries = join(linkLibtorch(folder), 'lib')
    const cublas = join(folder, 'libcublas.so.99')
    compile(cublas, '-Wl,-soname,libcublas.so.99')
    compile(join(libraries, 'libtorch_cuda.so'), '-Wl,--no-as-needed', cublas)
    rmSync(cublas)
    await expectWarning('python3 -m pip install torch==2.13.0', /for GPUs could not be opened.*libcublas\.so\.99/, withDriver())
  })

  it('the same of one that was installed into the cache', async () => {
    const place = cachedCuda('cu130', join(folder, 'cache', 'softprompt'))
    const libraries = join(linkLibtorch(join(place, 'torch')), 'lib')
    writeFileSync(join(place, 'torch', 'softprompt-libtorch.json'), JSON.stringify({ version: '2.13.0+cu130' }))
    writeFileSync(join(libraries, 'libtorch_cuda.so'), tinyLibrary())
    const env = { ...withDriver(), SOFTPROMPT_LIBTORCH: undefined }
    await expectWarning(`rm -r '${place}' && ${INSTALL} --cuda cu130`, /for GPUs could not be opened/, env)
    if (!existsSync('/proc/driver/nvidia/version')) await expectWarning(`rm -r '${place}' && ${INSTALL}`, /no driver/, {})
  })

  it('a LibTorch with CUDA and a driver, but no GPU', async () => {
    compile(join(linkLibtorch(folder), 'lib', 'libtorch_cuda.so'))
    await expectWarning('nvidia-smi', /with CUDA, but no GPU answers/, withDriver())
  })

  it('a system with musl, as node-gyp-build is told by LIBC', async () => {
    const env = { SOFTPROMPT_LIBTORCH: linkLibtorch(folder), LIBC: 'musl' }
    await expectProblem(expect.stringContaining('bookworm') as unknown as string, /ADDON_MISSING.*musl/s, env)
  })

  it('a C library that is too old', async () => {
    writeFileSync(join(folder, 'versions'), 'GLIBC_2.99 { newer; };')
    writeFileSync(join(folder, 'newer.c'), 'void newer(void) {}')
    writeFileSync(join(folder, 'needs.c'), 'void newer(void); void needs(void) { newer(); }')
    const libc = join(folder, 'libc.so.6')
    compile(libc, '-Wl,-soname,libc.so.6', `-Wl,--version-script=${join(folder, 'versions')}`, join(folder, 'newer.c'))
    compile(join(folder, 'lib/libc10.so'), join(folder, 'needs.c'), libc)
    writeFileSync(join(folder, 'lib/libtorch_cpu.so'), tinyLibrary())
    const env = { SOFTPROMPT_LIBTORCH: folder }
    await expectProblem(expect.stringContaining('bookworm') as unknown as string, /too old: GLIBC_2\.99 is needed/, env)
  })

  it('a cache that this user may not read', async () => {
    fillCache({ 'libc10.so': tinyLibrary(), 'libtorch_cpu.so': tinyLibrary() })
    const softprompt = join(folder, 'cache', 'softprompt')
    chmodSync(softprompt, isRoot ? 0o700 : 0)
    await expectProblem(`sudo chown -R "$(id -u)" '${softprompt}'`, /may not be read/, {}, isRoot ? 65534 : undefined)
    chmodSync(softprompt, 0o700)
  })

  it('a library that is cut short', async () => {
    const root = fillCache({ 'libc10.so': null, 'libtorch_cpu.so': tinyLibrary() })
    truncateSync(join(root, 'lib', 'libc10.so'), 700_000)
    await expectProblem(INSTALL, /lib\/libc10\.so is cut short: it has 700000 of \d+ bytes/)
  })

  it('libraries of another architecture', async () => {
    const other = tinyLibrary()
    other.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18)
    fillCache({ 'libc10.so': other, 'libtorch_cpu.so': other })
    await expectProblem(INSTALL, new RegExp(`is for ${process.arch === 'arm64' ? 'x64' : 'arm64'}, and this is ${process.arch}`))
  })

  it('a full disk', async ({ skip }) => {
    if (!isRoot) return skip('only root may mount a small file system')
    mountTmpfs(join(folder, 'cache'), 'size=4m')
    await expectProblem(`XDG_CACHE_HOME=/a/folder/with/room ${INSTALL}`, /MB free, and LibTorch needs/)
  })

  it('a processor without AVX2, as LibTorch is told by ATEN_CPU_CAPABILITY', async () => {
    const env = { SOFTPROMPT_LIBTORCH: linkLibtorch(folder), ATEN_CPU_CAPABILITY: 'default' }
    await expectWarning('unset ATEN_CPU_CAPABILITY', /without AVX2/, env)
  })

  it('a cache that programs may not be run from', async ({ skip }) => {
    if (!isRoot) return skip('only root may mount a file system')
    const cache = join(folder, 'cache')
    mountTmpfs(cache, 'size=64m,noexec')
    fillCache({ 'libtorch_cpu.so': tinyLibrary() })
    writeFileSync(join(folder, 'code.c'), 'void code(void) {}')
    compile(join(inCache(), 'lib', 'libc10.so'), join(folder, 'code.c'))
    await expectProblem(`sudo mount -o remount,exec '${cache}'`, /mounted noexec/)
  })

  it('that the optional dependency was left out', async () => {
    const file = join(dirname(dirname(cli)), 'package.json')
    const manifest = readFileSync(file, 'utf8')
    writeFileSync(file, JSON.stringify({ ...JSON.parse(manifest), optionalDependencies: { [LIBTORCH]: '2.13.0' } })) // as it is published
    await expectProblem(`npm install --include=optional ${LIBTORCH}@2.13.0`, /optional dependency .* is not installed/)
    writeFileSync(file, manifest)
  })

  it('nothing, where all is well', async () => {
    expect(await doctor({ SOFTPROMPT_LIBTORCH: linkLibtorch(folder) })).toMatchObject({ usable: true, findings: [] })
  })
})
