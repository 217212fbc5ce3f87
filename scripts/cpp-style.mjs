// Checks that the C++ files are as clang-format leaves them; with --write, makes them so.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fail, filesUnder, has, root, rootPath, run } from './shared.mjs'

// The npm package carries binaries, so that everybody formats with the same version; elsewhere the system's must do.
const bundled = new URL(`node_modules/clang-format/bin/${process.platform}_${process.arch}/clang-format`, root)
const command = existsSync(bundled) ? bundled.pathname : 'clang-format'
if (command === 'clang-format' && !has(command)) fail('clang-format is not installed and its npm package has no binary for this platform')

const files = ['binding', 'test/core'].flatMap((folder) => filesUnder(folder, ['.cc', '.h']))
if (process.argv.includes('--write')) {
  run(command, ['-i', ...files])
} else {
  const { status, stderr } = spawnSync(command, ['--dry-run', '--Werror', ...files], { cwd: rootPath, encoding: 'utf8' })
  if (status !== 0) fail(`${stderr}\nC++ files are not formatted: run \`npm run format\``)
}
