// What a library asks of the C and C++ runtimes, read from the versions of the symbols that it imports.
//   node scripts/symbol-floors.mjs FILE…
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { fail } from './shared.mjs'

const NAMES = { GLIBC: 'glibc', GLIBCXX: 'libstdc++ (GLIBCXX)', CXXABI: 'libstdc++ (CXXABI)' }

const byNumber = (a, b) => a.localeCompare(b, 'en', { numeric: true })

/** The highest version of each runtime that any of the files needs: { glibc: '2.34', … }. Linux only; needs objdump. */
export function symbolFloors(files) {
  const { status, stdout, stderr, error } = spawnSync('objdump', ['-T', ...files], { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) fail(`objdump could not read the symbols: ${error?.message ?? stderr}`)
  const floors = {}
  for (const line of stdout.split('\n')) {
    const [, runtime, version] = /\*UND\*.*\((GLIBC|GLIBCXX|CXXABI)_([\d.]+)\)/.exec(line) ?? []
    if (!runtime) continue
    const name = NAMES[runtime]
    if (!floors[name] || byNumber(floors[name], version) < 0) floors[name] = version
  }
  return floors
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [name, version] of Object.entries(symbolFloors(process.argv.slice(2)))) process.stdout.write(`${name} ${version}\n`)
}
