import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ModelError } from '../errors.js'

const HUB_ID = /^[\w.-]+(\/[\w.-]+)?$/

/**
 * Where the model called `source` lies on this machine: a path that exists, or the folder of a Hugging Face hub id ('google/t5-base-lm-adapt') in the local
 * cache that Hugging Face's tools fill. Nothing is downloaded.
 *
 * Rejects with MODEL_NOT_FOUND.
 */
export async function locateModel(source: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (existsSync(source)) return source
  const advice = "Give the path of a model's folder or .pt file"
  if (!HUB_ID.test(source)) throw new ModelError('MODEL_NOT_FOUND', `There is no model at ${source}. ${advice}.`)
  const cache = cacheFolder(env)
  const repository = join(cache, `models--${source.replace('/', '--')}`)
  const commit = await readFile(join(repository, 'refs', 'main'), 'utf8').catch(() => undefined)
  const snapshot = commit && join(repository, 'snapshots', commit.trim())
  if (snapshot && existsSync(snapshot)) return snapshot
  const fetchIt = `fetch it first with \`huggingface-cli download ${source}\``
  throw new ModelError(
    'MODEL_NOT_FOUND',
    `There is no model at ${source}, and none of that name in the hub's cache ${cache}. ${advice}, or ${fetchIt}.`,
  )
}

function cacheFolder(env: NodeJS.ProcessEnv): string {
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface')
  return env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(home, 'hub')
}
