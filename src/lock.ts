import { setTimeout as sleep } from 'node:timers/promises'
import lockfile from 'proper-lockfile'

/**
 * Waits for its turn at `path` among processes; `onWait` is called once, if another has it. A lock whose process died goes stale after half a minute.
 * Gives the function that lets go.
 */
export async function lock(path: string, onWait: () => void, signal?: AbortSignal): Promise<() => Promise<void>> {
  for (let waited = false; ; waited = true) {
    try {
      return await lockfile.lock(path, { realpath: false, stale: 30_000, update: 5_000, onCompromised: () => {} })
    } catch (error) {
      if ((error as { code?: string }).code !== 'ELOCKED') throw error
      if (!waited) onWait()
      await sleep(500, undefined, { signal })
    }
  }
}
