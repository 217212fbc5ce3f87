// `npm run prebuild`: makes prebuilds/<platform>-<arch>/ for the npm package: the loader under its tagged name and the addon beside it, both stripped.
// Prints what they ask of a system, and refuses them where they are too large. Node-API needs one build for all versions of Node and Electron.
//
// prebuildify knows node-gyp only, but lets another program stand in for it: scripts/node-gyp-shim.mjs. As it strips and moves what was built, it works on a
// copy, and build/ stays as it is.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fail, root, rootPath } from './shared.mjs'
import { symbolFloors } from './symbol-floors.mjs'

const LIMIT = 5e6
const staging = fileURLToPath(new URL('build/prebuild', root))
const made = new URL(`prebuilds/${process.platform}-${process.arch}/`, root)

for (const folder of [staging, made]) rmSync(folder, { recursive: true, force: true })
mkdirSync(staging, { recursive: true })
const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'))
await prebuildify({
  name: 'softprompt',
  napi: true,
  strip: true,
  tagLibc: process.platform === 'linux', // one without the tag loads on musl too
  shell: true,
  targets: [{ runtime: 'node', target: process.versions.node }],
  nodeGyp: `"${process.execPath}" "${fileURLToPath(new URL('node-gyp-shim.mjs', import.meta.url))}"`,
  cwd: staging,
  out: rootPath,
}).catch((error) => fail(error.message))

const files = readdirSync(made).map((name) => fileURLToPath(new URL(name, made)))
const size = files.reduce((sum, file) => sum + statSync(file).size, 0)
process.stdout.write(`prebuilds/${process.platform}-${process.arch}: ${files.length} files, ${(size / 1e6).toFixed(2)} MB\n`)
if (size > LIMIT) fail(`the prebuilt is larger than ${LIMIT / 1e6} MB`)
if (process.platform === 'linux') {
  const needed = Object.entries(symbolFloors(files)).map(([name, version]) => `${name} ${version}`)
  process.stdout.write(`it needs at least ${needed.join(', ')}\n`)
}
