// `npm run fuzz`: builds the readers with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer (no LibTorch needed) and feeds them.
//   npm run fuzz -- [--seconds N] [--targets a,b]
//   npm run fuzz -- --coverage     which lines of the readers the inputs kept so far reach
// N seconds a target, one process at a time. What was learned stays in build-fuzz/corpus and is where the next run starts; the seeds are the files
// of test/malformed and the finds in test/fuzz/finds. An input that breaks a target is left in build-fuzz/finds, and the exit status is 1.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeSeeds } from '../test/fuzz/seeds.mjs'
import { reportCoverage } from './fuzz-coverage.mjs'
import { fail, has, root, rootPath, run } from './shared.mjs'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, targets: { type: 'string' }, coverage: { type: 'boolean', default: false } },
})
const seconds = Number(values.seconds)
if (!(seconds >= 1)) fail(`--seconds ${values.seconds}: at least 1`)
if (!has('clang++')) fail('clang is not installed; it has the fuzzer and the sanitizers (Debian: apt-get install clang)')

const folder = (name) => fileURLToPath(new URL(`build-fuzz/${name}`, root))

function build() {
  const ninja = has('ninja') ? ['-G', 'Ninja'] : []
  run('cmake', ['-S', '.', '-B', 'build-fuzz', ...ninja, '-DCMAKE_CXX_COMPILER=clang++', '-DSOFTPROMPT_FUZZ=ON'])
  run('cmake', ['--build', 'build-fuzz'])
}

/** What the fuzzer starts from. */
function corporaOf(target) {
  const folders = [folder(`corpus/${target}`), folder(`seeds/${target}`), fileURLToPath(new URL(`test/fuzz/finds/${target}/`, root))]
  return folders.filter((name) => existsSync(name))
}

/** Runs one target; gives its figures, or null where an input broke it. */
function fuzz(target) {
  for (const name of [`corpus/${target}`, `finds/${target}`]) mkdirSync(folder(name), { recursive: true })
  const limits = [`-max_total_time=${seconds}`, '-timeout=5', '-rss_limit_mb=1024', '-malloc_limit_mb=64', '-max_len=65536']
  const options = [...limits, '-print_final_stats=1', `-artifact_prefix=${folder(`finds/${target}`)}/`]
  const { status, stderr } = spawnSync(folder('fuzz'), [...options, ...corporaOf(target)], {
    cwd: rootPath,
    env: { ...process.env, SOFTPROMPT_FUZZ_TARGET: target },
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    maxBuffer: 1 << 28,
  })
  if (status !== 0) {
    process.stderr.write(`${stderr.slice(-6000)}\n${target}: an input broke it; see build-fuzz/finds/${target}\n`)
    return null
  }
  const inputs = Number(/stat::number_of_executed_units: (\d+)/.exec(stderr)?.[1] ?? 0)
  const edges = Number([...stderr.matchAll(/ cov: (\d+)/g)].at(-1)?.[1] ?? 0)
  return { target, inputs, edges, corpus: readdirSync(folder(`corpus/${target}`)).length }
}

if (!values.coverage) build()
const targets = writeSeeds(folder('seeds'))
const chosen = values.targets ? values.targets.split(',') : targets
for (const name of chosen) if (!targets.includes(name)) fail(`no target ${name}; there are ${targets.join(', ')}`)
if (values.coverage) {
  reportCoverage(folder('coverage'), chosen, corporaOf)
  process.exit(0)
}
let passed = 0
const results = []
for (const target of chosen) {
  const result = fuzz(target)
  if (!result) continue
  passed++
  results.push(result)
  process.stdout.write(`${target.padEnd(20)} ${String(result.inputs).padStart(10)} inputs  ${result.edges} edges  ${result.corpus} kept\n`)
}
const log = folder('log.json') // every run adds its figures
const earlier = existsSync(log) ? JSON.parse(readFileSync(log, 'utf8')) : []
writeFileSync(log, `${JSON.stringify([...earlier, { seconds, results }], null, 1)}\n`)
process.stdout.write(`fuzz: ${passed} passed, ${chosen.length - passed} failed\n`)
process.exit(passed === chosen.length ? 0 : 1)
