import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findLibtorch } from '../../../src/libtorch/find.js'

const release = fileURLToPath(new URL('../../../build/Release', import.meta.url))
const suffix = process.platform === 'darwin' ? 'dylib' : 'so'

async function desk(): Promise<string> {
  const { chosen, advice } = await findLibtorch()
  if (!chosen) throw new Error(`These tests need LibTorch. ${advice}`)
  return JSON.stringify({
    loader: join(release, 'softprompt.node'),
    libtorch: chosen.lib,
    core: join(release, `softprompt_core.${suffix}`),
  })
}

/** For tests that open the native module in their own process (see desk.mjs). */
export async function useDesk(): Promise<void> {
  process.env.SOFTPROMPT_TEST_DESK = await desk()
}

export interface ChildResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs a program of `test/native/children` to its end. One that hangs is killed, and its signal is SIGKILL. */
export async function runChild(name: string, args: string[] = [], nodeOptions: string[] = []): Promise<ChildResult> {
  const file = join(dirname(fileURLToPath(import.meta.url)), '../children', name)
  const child = spawn(process.execPath, [...nodeOptions, file, ...args], {
    env: { ...process.env, SOFTPROMPT_TEST_DESK: await desk() },
    timeout: 300_000,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => {
    stdout += data
  })
  child.stderr.on('data', (data) => {
    stderr += data
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}
