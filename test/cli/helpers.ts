import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from '../api/helpers.js'

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** The command line as users run it: the built file, in a process of its own, its output not on a terminal. */
export function start(args: string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [join(ROOT, 'lib', 'cli.js'), ...args], { cwd: ROOT, env: { ...process.env, NO_COLOR: '1', ...env } })
}

export async function finished(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const outcome: Outcome = { code: null, stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      outcome[name] += text
    })
  }
  outcome.code = await new Promise((resolve) => child.on('close', resolve))
  return outcome
}

export function cli(args: string[], { stdin = '', env = {} }: { stdin?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Outcome> {
  const child = start(args, env)
  child.stdin.end(stdin)
  return finished(child)
}

export function jsonLines(stdout: string): Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}
