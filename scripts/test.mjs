// `npm test`: the C++ tests of core, the readers on hostile input, then vitest. What is given goes on to vitest (npm test -- test/libtorch). The last line counts all.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeSeeds } from '../test/fuzz/seeds.mjs'
import { fail, has, root, rootPath } from './shared.mjs'

async function testCore() {
  const binary = new URL('build/core_tests', root)
  if (!existsSync(binary)) fail('build/core_tests is missing: run `npm run build:native` first')
  // As the loader does it for Node: OpenMP's threads sleep while they wait. On a busy machine those that spin make the tests many times slower.
  const env = { OMP_WAIT_POLICY: 'passive', ...process.env }
  const child = spawn(binary.pathname, [], { cwd: rootPath, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
    process.stdout.write(text)
  })
  const [status] = await once(child, 'close')
  const counted = /^core: (\d+) passed, (\d+) failed$/m.exec(stdout)
  const [passed, failed] = counted ? [Number(counted[1]), Number(counted[2])] : [0, 0]
  return { passed, failed: Math.max(failed, status === 0 ? 0 : 1), skipped: 0 } // a crash counts as a failure
}

/** Each reader for a few seconds under the fuzzer, where clang is there; else on the files that the fuzzer would start from. */
function testReaders() {
  if (has('clang++')) {
    const { status, stdout } = spawnSync(process.execPath, ['scripts/fuzz.mjs', '--seconds', '2'], {
      cwd: rootPath,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    process.stdout.write(stdout)
    const counted = /^fuzz: (\d+) passed, (\d+) failed$/m.exec(stdout)
    return { passed: Number(counted?.[1] ?? 0), failed: status === 0 && counted ? 0 : Math.max(1, Number(counted?.[2] ?? 0)), skipped: 0 }
  }
  const seeds = mkdtempSync(join(tmpdir(), 'softprompt-seeds-'))
  const targets = writeSeeds(seeds)
  const failed = targets.filter((target) => {
    const finds = new URL(`test/fuzz/finds/${target}/`, root)
    const folders = [join(seeds, target), ...(existsSync(finds) ? [finds.pathname] : [])]
    return (
      spawnSync(new URL('build/fuzz_replay', root).pathname, [target, ...folders], { stdio: ['ignore', 'inherit', 'inherit'] }).status !== 0
    )
  }).length
  rmSync(seeds, { recursive: true })
  return { passed: targets.length - failed, failed, skipped: 0 }
}

function testTypescript(args) {
  const folder = mkdtempSync(join(tmpdir(), 'softprompt-'))
  const report = join(folder, 'vitest.json')
  const vitest = new URL('node_modules/vitest/vitest.mjs', root).pathname
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...reporters, ...args], {
    cwd: rootPath,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : null
  rmSync(folder, { recursive: true })
  const failed = counts?.numFailedTests ?? 0
  const skipped = (counts?.numPendingTests ?? 0) + (counts?.numTodoTests ?? 0)
  // A file that could not be run at all has no failed test, only a failed run.
  return { passed: counts?.numPassedTests ?? 0, failed: Math.max(failed, status === 0 ? 0 : 1), skipped }
}

const results = [await testCore(), testReaders(), testTypescript(process.argv.slice(2))]
const sum = (of) => results.reduce((total, result) => total + result[of], 0)
const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''
process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed${skipped}\n`)
process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1)
