// `npm run sanitize`: builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer (build-sanitize) and runs the programs of test/native/children on
// it under Node: tuning, training, generating and the other calls, Workers that are terminated, processes that exit and models that are disposed of in the
// middle of them. A report of a sanitizer fails. Linux, GCC.
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
  ...['finetune', 'adapt', 'explain'].map((call) => ['calls.mjs', 'exit', call]),
  ...['finetune', 'adapt', 'evaluate', 'stream'].map((call) => ['calls.mjs', 'terminate', call, '2']),
  ...['tune', 'generate', 'evaluate', 'score', 'classify', 'gradient'].map((call) => ['calls.mjs', 'dispose', call]),
  ...['stream', 'adapt', 'progress'].map((where) => ['calls.mjs', 'throw', where]),
]
const exitCode = (name, mode) => (name === 'exit.mjs' || mode === 'exit' ? 3 : 0)

if (process.platform !== 'linux' || !has('g++')) fail('this needs Linux and g++')
const { chosen } = await (await import(new URL('lib/libtorch.js', root).href)).findLibtorch({ headers: true })
if (!chosen) fail('LibTorch was not found: run `npm run prepare`')

const generator = has('ninja') ? ['-G', 'Ninja'] : []
const options = [`-DLIBTORCH=${chosen.root}`, '-DSOFTPROMPT_SANITIZE=ON', '-DSOFTPROMPT_TESTS=OFF', '-DCMAKE_CXX_COMPILER=g++']
const ccache = { CCACHE_BASEDIR: rootPath, CCACHE_NOHASHDIR: '1' }
run('cmake', ['-S', '.', '-B', 'build-sanitize/build', ...generator, ...options])
run('cmake', ['--build', 'build-sanitize/build', '--parallel', process.env.SOFTPROMPT_JOBS ?? '2'], { env: ccache })

const runtime = (name) => spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()
const release = join(rootPath, 'build-sanitize', 'build', 'Release')
const env = {
  ...process.env,
  LD_PRELOAD: ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map(runtime).join(' '), // libstdc++ first, else exceptions thrown are not seen
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=0',
  SOFTPROMPT_PREBUILD: join(rootPath, 'build-sanitize'), // where node-gyp-build looks for the addon, as lib/ asks it to
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
  const good = !report && status === exitCode(name, args[0])
  if (!good) failed++
  process.stdout.write(
    `${good ? 'clean' : 'FAULT'}  ${name} ${args.join(' ')}  ${report ?? (good ? '' : `ended with ${signal ?? status}: ${stderr.slice(0, 2000)}`)}\n`,
  )
}
process.stdout.write(`sanitize: ${RUNS.length - failed} clean, ${failed} with faults\n`)
process.exit(failed === 0 ? 0 : 1)
