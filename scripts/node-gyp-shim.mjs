// Stands in for node-gyp where prebuildify calls it (`rebuild --target=20.20.2 --arch=x64 --release …`, in a folder of its own): builds the native module
// with cmake-js and puts a copy where prebuildify looks for it, build/Release of its folder.
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fail, rootPath, run } from './shared.mjs'

const { values } = parseArgs({
  strict: false,
  options: { target: { type: 'string' }, arch: { type: 'string' }, runtime: { type: 'string' }, debug: { type: 'boolean' } },
})
const passed = [
  ...['--target', 'softprompt'], // not core's tests
  ...(values.target ? ['--runtime-version', values.target] : []),
  ...(values.arch ? ['--arch', values.arch] : []),
  ...(values.runtime ? ['--runtime', values.runtime] : []),
  ...(values.debug ? ['--debug'] : []),
]
run(process.execPath, [join(rootPath, 'scripts', 'build-native.mjs'), ...passed])

const configuration = values.debug ? 'Debug' : 'Release'
const from = join(rootPath, 'build', configuration)
const to = join(process.cwd(), 'build', configuration)
const modules = readdirSync(from).filter((name) => /\.(node|so|dylib|dll)$/.test(name))
if (modules.length !== 2) fail(`build/${configuration} should hold the loader and the addon, but has ${modules.join(', ') || 'neither'}`)
mkdirSync(to, { recursive: true })
for (const name of modules) cpSync(join(from, name), join(to, name))
