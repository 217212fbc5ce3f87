import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** What Hugging Face's tools read from the environment, read the same way, so that they and we share one cache and one login. */

type Env = NodeJS.ProcessEnv

export function cacheFolder(env: Env = process.env): string {
  return expanded(env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE) ?? join(home(env), 'hub')
}

/** Where the hub is. */
export function endpointOf(env: Env = process.env): string {
  return (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
}

export function isOffline(env: Env = process.env): boolean {
  return /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? env.TRANSFORMERS_OFFLINE ?? '')
}

/** The user's token: from HF_TOKEN, else the file that `hf auth login` writes. */
export async function tokenOf(env: Env = process.env): Promise<string | undefined> {
  const given = (env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN)?.trim()
  if (given) return given
  const path = expanded(env.HF_TOKEN_PATH) ?? join(home(env), 'token')
  const kept = await readFile(path, 'utf8').catch(() => '')
  return kept.trim() || undefined
}

function home(env: Env): string {
  return expanded(env.HF_HOME) ?? join(expanded(env.XDG_CACHE_HOME) ?? join(homedir(), '.cache'), 'huggingface')
}

function expanded(path: string | undefined): string | undefined {
  return path ? path.replace(/^~(?=$|[\\/])/, homedir()) : undefined
}
