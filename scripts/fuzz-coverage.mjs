// Which lines of the readers the fuzzer's inputs reach: they are replayed by a build that counts, and llvm-cov makes a line for each file of it.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fail, has, rootPath, run } from './shared.mjs'

/** `corporaOf(target)`: folders of inputs. */
export function reportCoverage(folder, targets, corporaOf) {
  if (!has('llvm-cov')) fail('llvm-cov is not installed (Debian: apt-get install llvm)')
  const ninja = has('ninja') ? ['-G', 'Ninja'] : []
  run('cmake', ['-S', '.', '-B', folder, ...ninja, '-DCMAKE_CXX_COMPILER=clang++', '-DSOFTPROMPT_COVERAGE=ON'])
  run('cmake', ['--build', folder])
  mkdirSync(join(folder, 'profiles'), { recursive: true })
  const profiles = targets.map((target) => {
    const profile = join(folder, 'profiles', `${target}.profraw`)
    run(join(folder, 'fuzz_replay'), [target, ...corporaOf(target)], { env: { LLVM_PROFILE_FILE: profile } })
    return profile
  })
  const merged = join(folder, 'all.profdata')
  run('llvm-profdata', ['merge', '-o', merged, ...profiles])
  process.stdout.write(`\n${table(linesOf(folder, merged))}`)
}

/** [file, lines, lines reached] of each reader. */
function linesOf(folder, profile) {
  const args = ['export', join(folder, 'fuzz_replay'), `-instr-profile=${profile}`, '-summary-only']
  const { stdout, status, stderr } = spawnSync('llvm-cov', args, { cwd: rootPath, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) fail(`llvm-cov: ${stderr}`)
  return JSON.parse(stdout)
    .data[0].files.map(({ filename, summary }) => [
      relative(rootPath, resolve(folder, filename)),
      summary.lines.count,
      summary.lines.covered,
    ])
    .filter(([name]) => name.startsWith('binding/'))
}

function table(files) {
  const total = ['all', ...[1, 2].map((column) => files.reduce((sum, file) => sum + file[column], 0))]
  const rows = [...files, total].map(
    ([name, lines, reached]) => `| ${name} | ${lines} | ${reached} | ${((100 * reached) / lines).toFixed(1)} % |`,
  )
  return `${['| file | lines | reached | |', '|---|---|---|---|', ...rows].join('\n')}\n`
}
