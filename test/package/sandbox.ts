import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  uid?: number | undefined
}

/** Runs a program to its end; gives what it said, however it ended. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...options, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number' && !error.signal) return reject(error)
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr })
    })
  })
}

/** As `run`; rejects, with all that was said, where the program fails. Gives stdout. */
export async function mustRun(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}

// What npm, pnpm's and yarn's own scripts call. No compiler, no make, no Python.
const PROGRAMS = ['node', 'npm', 'npx', 'sh', 'env', 'dirname', 'basename', 'sed', 'uname', 'cat', 'ls', 'readlink']

function find(program: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      return realpathSync(join(folder, program))
    } catch {}
  }
  return null
}

/**
 * A user's machine in a folder: a home of its own, so that no cache of LibTorch and no settings are found, and a PATH without compilers and Python.
 * `remove()` deletes it.
 */
export function sandbox() {
  const folder = mkdtempSync(join(tmpdir(), 'softprompt-package-'))
  const bin = join(folder, 'bin')
  const home = join(folder, 'home')
  for (const path of [bin, home]) mkdirSync(path)
  for (const program of PROGRAMS) {
    const real = program === 'node' ? process.execPath : find(program)
    if (real) symlinkSync(real, join(bin, program))
  }
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|SOFTPROMPT_|XDG_|NODE_OPTIONS|NODE_PATH|VITEST|PYTHON|PIP_)/i.test(name),
  )
  const env: NodeJS.ProcessEnv = { ...Object.fromEntries(kept), PATH: bin, HOME: home, CI: '1', NO_COLOR: '1' }
  return {
    folder,
    home,
    env,
    /** An empty folder of the user's. */
    project(name: string): string {
      const path = join(folder, name)
      mkdirSync(path)
      return path
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}

/** Installs the programs of test/package/tools, as their lock file says, into `folder`; gives the path of a program's script. */
export async function installTools(folder: string): Promise<(script: string) => string> {
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(ROOT, 'test/package/tools', name), join(folder, name))
  await mustRun('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder })
  return (script) => join(folder, 'node_modules', script)
}

export function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}
