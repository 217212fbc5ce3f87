import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

const CANDIDATES = [process.env.SOFTPROMPT_TEST_PYTHON, 'python3'].filter((name) => name !== undefined)

/** A Python that has the modules; undefined where there is none. SOFTPROMPT_TEST_PYTHON names one. */
export function pythonWith(...modules: string[]): string | undefined {
  return CANDIDATES.find(
    (python) =>
      spawnSync(python, [
        '-c',
        `import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ${JSON.stringify(modules)}))`,
      ]).status === 0,
  )
}

/** Stands in the name of a test that is skipped for want of it. */
export const wants = (...modules: string[]) => `(needs a Python with ${modules.join(', ')}: set SOFTPROMPT_TEST_PYTHON)`

export async function run(python: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(python, args, {
    env: { ...process.env, OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1' },
    maxBuffer: 1 << 26,
  })
  return stdout
}
