// `npm run sanitize`: builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer (build-sanitize) and runs the programs of test/native/children on
// it under Node: tuning, generating, Workers that are terminated, processes that exit in the middle. A report of a sanitizer fails. Linux, GCC.
// Leaks are not looked for: Node and LibTorch keep much until the end.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fail, has, root, rootPath, run } from './shared.mjs'

const RUNS = [
  ['workers.mjs', 'beside'],
  ['workers.mjs', 'terminate', '4'],
  ['exit.mjs', 'tune'],
  ['exit.mjs', 'generate'],
  ['exit.mjs', 'both'],
  ['exit.mjs', 'reallyExit'],
  ['forgotten.mjs'],
  ['uncaught.mjs', 'error'],
]
const EXIT_CODES = { 'exit.mjs': 3 }

if (process.platform !== 'linux' || !has('g++')) fail('this needs Linux and g++')
const { chosen } = await (await import(new URL('lib/libtorch.js', root).href)).findLibtorch({ headers: true })
if (!chosen) fail('LibTorch was not found: run `npm run prepare`')

const generator = has('ninja') ? ['-G', 'Ninja'] : []
const options = [`-DLIBTORCH=${chosen.root}`, '-DSOFTPROMPT_SANITIZE=ON', '-DSOFTPROMPT_TESTS=OFF', '-DCMAKE_CXX_COMPILER=g++']
run('cmake', ['-S', '.', '-B', 'build-sanitize', ...generator, ...options])
run('cmake', ['--build', 'build-sanitize', '--parallel', process.env.SOFTPROMPT_JOBS ?? '2'])

const runtime = (name) => spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()
const release = join(rootPath, 'build-sanitize', 'Release')
const env = {
  ...process.env,
  LD_PRELOAD: ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map(runtime).join(' '), // libstdc++ first, else exceptions thrown are not seen
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=0',
  SOFTPROMPT_TEST_DESK: JSON.stringify({
    loader: join(release, 'softprompt.node'),
    libtorch: chosen.lib,
    core: join(release, 'softprompt_core.so'),
  }),
}

let failed = 0
for (const [name, ...args] of RUNS) {
  const file = join(rootPath, 'test', 'native', 'children', name)
  const { status, signal, stderr } = spawnSync(process.execPath, [file, ...args], { env, encoding: 'utf8', maxBuffer: 1 << 28 })
  const report = /(runtime error:|ERROR: AddressSanitizer)[^\n]*/.exec(stderr)?.[0]
  const good = !report && status === (EXIT_CODES[name] ?? 0)
  if (!good) failed++
  process.stdout.write(
    `${good ? 'clean' : 'FAULT'}  ${name} ${args.join(' ')}  ${report ?? (good ? '' : `ended with ${signal ?? status}: ${stderr.slice(0, 2000)}`)}\n`,
  )
}
process.stdout.write(`sanitize: ${RUNS.length - failed} clean, ${failed} with faults\n`)
process.exit(failed === 0 ? 0 : 1)
