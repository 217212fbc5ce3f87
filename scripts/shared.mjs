// What the scripts share: where the repository is, and how a program is run.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = new URL('../', import.meta.url)
export const rootPath = fileURLToPath(root)

export const readPackage = () => JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

/** Runs a program in the repository with this terminal; ends this process with its exit status if that is not 0. */
export function run(command, args, { env = {} } = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd: rootPath, stdio: 'inherit', env: { ...process.env, ...env } })
  if (error) fail(`${command} could not be started: ${error.message}`)
  if (status !== 0) fail(`${command} ${args.join(' ')} ended with ${signal ?? `exit status ${status}`}`, status ?? 1)
}

/** Is the program on the PATH, and does it answer to --version? */
export const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

const builtFolders = ['lib', 'build', 'build-cross', 'build-fuzz', 'build-sanitize', 'prebuilds', 'coverage']

/** Removes a built folder of the repository, and refuses any other. */
export function clean(folder) {
  if (!builtFolders.includes(folder)) throw new Error(`only ${builtFolders.join(', ')} may be removed, not ${folder}`)
  rmSync(new URL(`${folder}/`, root), { recursive: true, force: true })
}

export function fail(message, status = 1) {
  process.stderr.write(`softprompt: ${message}\n`)
  process.exit(status)
}

/** Paths, relative to the repository, of the files under `folder` whose names end in one of `endings`. */
export function filesUnder(folder, endings) {
  return readdirSync(new URL(`${folder}/`, root), { recursive: true })
    .map((name) => `${folder}/${name}`)
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
}
