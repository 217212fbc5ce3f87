// `npm run cross [NAME …]`: builds what needs no LibTorch (files, locks, readers) for other systems, and runs its tests and the fuzzer's seeds by an
// emulator of them. What is not installed is named and passed over. Of what needs LibTorch it shows nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeSeeds } from '../test/fuzz/seeds.mjs'
import { fail, has, rootPath, run } from './shared.mjs'

const SYSTEMS = {
  'win32-x64': {
    compiler: 'x86_64-w64-mingw32-g++-posix',
    options: ['-DCMAKE_SYSTEM_NAME=Windows'],
    suffix: '.exe',
    emulators: ['wine64', '/usr/lib/wine/wine64'],
    packages: 'g++-mingw-w64-x86-64 wine64',
  },
  'linux-arm64': {
    compiler: 'aarch64-linux-gnu-g++',
    options: ['-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64'],
    suffix: '',
    emulators: ['qemu-aarch64-static', 'qemu-aarch64'],
    packages: 'g++-aarch64-linux-gnu qemu-user-static',
  },
}

const build = (name) => join(rootPath, 'build-cross', name)

function compile(name, { compiler, options }) {
  const generator = has('ninja') ? ['-G', 'Ninja'] : []
  const common = ['-DSOFTPROMPT_FILES=ON', '-DCMAKE_BUILD_TYPE=Release', '-DCMAKE_EXE_LINKER_FLAGS=-static']
  run('cmake', ['-S', '.', '-B', build(name), ...generator, ...common, ...options, `-DCMAKE_CXX_COMPILER=${compiler}`])
  run('cmake', ['--build', build(name), '--parallel', process.env.SOFTPROMPT_JOBS ?? '2'])
}

/** How many of the programs failed. */
function test(name, { suffix }, emulator, seeds) {
  const env = { ...process.env, WINEDEBUG: '-all', WINEPREFIX: join(build(name), 'wine') }
  const fails = (file, ...args) =>
    spawnSync(emulator, [join(build(name), file + suffix), ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] }).status !== 0
  const replays = writeSeeds(seeds).map((target) => fails('fuzz_replay', target, join(seeds, target)))
  return [fails('file_tests'), ...replays].filter(Boolean).length
}

const asked = process.argv.slice(2)
const strange = asked.find((name) => !(name in SYSTEMS))
if (strange) fail(`there is no system ${strange}: ${Object.keys(SYSTEMS).join(', ')}`)

let failed = 0
const seeds = mkdtempSync(join(tmpdir(), 'softprompt-seeds-'))
for (const name of asked.length ? asked : Object.keys(SYSTEMS)) {
  const system = SYSTEMS[name]
  const emulator = system.emulators.find((path) => existsSync(path) || has(path))
  if (!has(system.compiler) || !emulator) {
    process.stdout.write(`cross: ${name} passed over (Debian: apt-get install ${system.packages})\n`)
    continue
  }
  compile(name, system)
  const faults = test(name, system, emulator, seeds)
  process.stdout.write(`cross: ${name} ${faults ? `FAILED (${faults} programs)` : 'passed'}\n`)
  failed += faults
}
rmSync(seeds, { recursive: true })
process.exit(failed ? 1 : 0)
