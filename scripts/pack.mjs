// npm run pack [-- --out FOLDER]
// Makes the npm package softprompt as FOLDER/softprompt-<version>.tgz (build/packages where not given), and prints its path. It differs from what `npm pack`
// makes in its package.json alone: LibTorch's packages (scripts/pack-libtorch.mjs) are optional dependencies there. In the repository they are not, as a clone
// gets its LibTorch by `npm ci`. lib/ and prebuilds/ must have been built.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fail, root, rootPath } from './shared.mjs'

/** Platforms that LibTorch has a package for. */
const PACKED = ['linux-x64']

const { values } = parseArgs({ options: { out: { type: 'string' } } })
const out = resolve(values.out ?? join(rootPath, 'build', 'packages'))
for (const folder of ['lib/libtorch.js', 'prebuilds/'])
  if (!existsSync(new URL(folder, root))) fail(`${folder} is missing: run \`npm run build:ts\` and \`npm run prebuild\` first`)
const { LIBTORCH_VERSION } = await import(new URL('lib/libtorch.js', root).href)

function pack(from, to) {
  const { status, stdout, stderr, error } = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', to], {
    cwd: from,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status !== 0) fail(`npm pack failed: ${error?.message ?? stderr}`)
  return join(to, Object.values(JSON.parse(stdout))[0].filename)
}

const work = mkdtempSync(join(tmpdir(), 'softprompt-pack-'))
spawnSync('tar', ['-xf', pack(rootPath, work), '-C', work])
const folder = join(work, 'package')
const { scripts, devDependencies, binary, ...manifest } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
manifest.optionalDependencies = Object.fromEntries(PACKED.map((platform) => [`@softprompt/libtorch-${platform}`, LIBTORCH_VERSION]))
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
mkdirSync(out, { recursive: true })
process.stdout.write(`${pack(folder, out)}\n`)
rmSync(work, { recursive: true, force: true })
