// node scripts/pack-libtorch.mjs [--out FOLDER] [--wheel FILE] [--fast]
// Makes the npm package @softprompt/libtorch-<platform>-<arch> as FOLDER/<name>.tgz (build/packages where not given), and prints its path: the libraries that
// the loader opens, with their licences, out of the CPU wheel of torch that `src/libtorch/release.ts` pins by its sha256. The wheel comes from pip unless
// given. --fast compresses lightly, for a local registry.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fail, readPackage, root, rootPath } from './shared.mjs'

const LIMIT = 200e6 // registries are reported to refuse larger ones
// All that LibTorch's CPU part needs at run time; the loader (binding/loader.cc) opens these and nothing else.
const LIBRARIES = {
  linux: /^torch\/lib\/(lib(c10|torch_cpu)\.so|libgomp[^/]*)$/,
  darwin: /^torch\/lib\/lib(c10|torch_cpu|omp)\.dylib$/,
}
const LICENSES = /^torch-[^/]+\.dist-info\/licenses\/./

const { values } = parseArgs({
  options: { out: { type: 'string' }, wheel: { type: 'string' }, fast: { type: 'boolean', default: false } },
})
const platform = `${process.platform}-${process.arch}`
const libraries = LIBRARIES[process.platform] ?? fail(`no LibTorch is packed for ${platform}`)
const out = resolve(values.out ?? join(rootPath, 'build', 'packages'))
const built = new URL('lib/libtorch.js', root)
if (!existsSync(built)) fail('lib/ has not been built: run `npm run build:ts` first')
const { LIBTORCH_VERSION, pinnedWheel, pipDownload, sha256Of, unpack } = await import(built.href)

const work = mkdtempSync(join(tmpdir(), 'softprompt-libtorch-'))
const problem = await make().then(
  () => null,
  (error) => error.message,
)
rmSync(work, { recursive: true, force: true })
if (problem) fail(problem)

async function make() {
  const wheel = values.wheel ?? (await pipDownload({ python: 'python3', version: LIBTORCH_VERSION, folder: work, onLine: () => {} }))
  const sha256 = await sha256Of(wheel)
  if (!pinnedWheel(sha256))
    throw new Error(`${basename(wheel)} has the sha256 ${sha256}, which is none of those in src/libtorch/release.ts`)
  const folder = await assemble(wheel, sha256)
  mkdirSync(out, { recursive: true })
  const tarball = pack(folder)
  const size = statSync(tarball).size
  process.stderr.write(`${basename(tarball)}: ${(size / 1e6).toFixed(1)} MB\n`)
  if (size > LIMIT) throw new Error(`the package is larger than ${LIMIT / 1e6} MB`)
  process.stdout.write(`${tarball}\n`)
}

/** The package's folder, named as tarballs have it. */
async function assemble(wheel, sha256) {
  const unpacked = join(work, 'wheel')
  await unpack({ file: wheel, to: unpacked, prefix: '', wanted: (name) => libraries.test(name) || LICENSES.test(name), onProgress() {} })
  const folder = join(work, 'package')
  cpSync(new URL('libtorch-package/', import.meta.url), folder, { recursive: true })
  renameSync(join(unpacked, 'torch', 'lib'), join(folder, 'lib'))
  const information = readdirSync(unpacked).find((name) => name.endsWith('.dist-info'))
  cpSync(join(unpacked, information, 'licenses'), join(folder, 'licenses'), { recursive: true })
  const marker = { version: `${LIBTORCH_VERSION}+cpu`, sha256, file: basename(wheel) }
  writeFileSync(join(folder, 'softprompt-libtorch.json'), `${JSON.stringify(marker, null, 2)}\n`)
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`)
  return folder
}

function manifest() {
  const { repository } = readPackage()
  return {
    name: `@softprompt/libtorch-${platform}`,
    version: LIBTORCH_VERSION,
    description: `LibTorch ${LIBTORCH_VERSION} for the CPU on ${platform}, for softprompt`,
    license: 'SEE LICENSE IN LICENSES.md',
    ...(repository && { repository }),
    os: [process.platform],
    cpu: [process.arch],
    ...(process.platform === 'linux' && { libc: ['glibc'] }),
    preferUnplugged: true, // the dynamic linker reads no zip
    files: ['lib', 'licenses', 'LICENSES.md', 'softprompt-libtorch.json'],
  }
}

function pack(folder) {
  const tarball = join(out, `softprompt-libtorch-${platform}-${LIBTORCH_VERSION}.tgz`)
  // npm's own compression is the strongest and takes most of a minute.
  const [command, ...args] = values.fast
    ? ['tar', '--use-compress-program=gzip -1', '-cf', tarball, '-C', work, 'package']
    : ['npm', 'pack', '--silent', '--pack-destination', out]
  const { status, stderr, error } = spawnSync(command, args, { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' })
  if (status !== 0) throw new Error(`${command} could not pack: ${error?.message ?? stderr}`)
  return tarball
}
