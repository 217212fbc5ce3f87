import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { TransferOptions } from '../download.js'
import { captureCall, FileError, HubError } from '../errors.js'
import { forCall } from '../job.js'
import { lock } from '../lock.js'
import { type Check, callback, checkOptions, invalidOption, signal, text } from '../options/check.js'
import { fetchBlob } from './blob.js'
import { RepositoryCache } from './cache.js'
import { HubClient, type RemoteFile } from './client.js'
import { cacheFolder, endpointOf, isOffline, tokenOf } from './environment.js'
import { isIndex, shardsOf, wantedFiles } from './files.js'
import { type HubId, parseHubId, spellHubId } from './id.js'

/** How `pull` fetches a model. */
export interface PullOptions {
  /** A branch, tag or commit; the same as '@REVISION' behind the name. @defaultValue 'main' */
  revision?: string
  /** For models that ask for one. @defaultValue HF_TOKEN, else the token that `hf auth login` keeps */
  token?: string
  /** Ends the call: it rejects with the reason. What was fetched until then is kept, and not fetched again. */
  signal?: AbortSignal
  /** Called as bytes arrive. */
  onProgress?: (progress: PullProgress) => void
}

/** `loaded` and `total` are bytes of all files that are fetched; `total` grows when an index has told of its shards. */
export type PullProgress =
  | {
      /** Another process is fetching the same model. */
      status: 'waiting'
    }
  | {
      /** Bytes have arrived. */
      status: 'progress'
      /** The file that they are of. */
      file: string
      /** Bytes that are here. */
      loaded: number
      /** Bytes that are known of. */
      total: number
    }
  | {
      /** A file is complete and checked. */
      status: 'done'
      /** Its name. */
      file: string
    }

/** What `pull` fetched, and where it is. */
export interface Pulled {
  /** 'ORG/NAME', as `T5.load` takes it (with '@REVISION' where that is not main). */
  id: string
  /** The 40 hex digits of the commit that was fetched. */
  commit: string
  /** The folder. */
  path: string
  /** Names of the files in the folder. */
  files: string[]
}

const CHECKS = { revision: text, token: text, signal, onProgress: callback as Check<(progress: PullProgress) => void> }

/**
 * Fetches a model from the Hugging Face hub into the cache that Python's tools use too: its config, its tokenizer, and its weights in one form, safetensors
 * where there are any. Goes on where an earlier pull stopped; sizes and sha256 are checked; nothing is visible to `T5.load` before all is there. Reads
 * HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE.
 *
 * Rejects with `HUB_*`, FILE_WRITE or OPTION_INVALID.
 *
 * @example
 * const { id } = await pull('google/t5-small-lm-adapt')
 * const t5 = await T5.load(id)
 */
export async function pull(source: string, options?: PullOptions): Promise<Pulled> {
  return pullWith(source, options)
}

/** `network`: for tests. */
export function pullWith(
  source: string,
  options?: PullOptions,
  network?: Pick<TransferOptions, 'tries' | 'pause' | 'answerWithin' | 'idleFor'>,
): Promise<Pulled> {
  const site = captureCall(pull)
  return forCall(site, async () => {
    const checked = checkOptions('pull', options, CHECKS)
    const id = parseHubId(text(source, 'source'), checked.revision)
    if (!id) throw invalidOption('source', source, "a model's name on the hub: 'ORG/NAME' or 'ORG/NAME@REVISION'")
    checked.signal?.throwIfAborted()
    const cache = new RepositoryCache(cacheFolder(), id.name)
    if (isOffline()) return offline(id, cache)
    const token = checked.token ?? (await tokenOf())
    const client = new HubClient(id, { endpoint: endpointOf(), token, signal: checked.signal, ...(network && { network }) })
    return new Pull(id, client, cache, checked.onProgress ?? (() => {})).run(checked.signal).catch((error: unknown) => {
      throw writeError(error, cache)
    })
  })
}

class Pull {
  /** Bytes of files that are here, and of all that are known of. */
  #here = 0
  #total = 0

  constructor(
    private readonly id: HubId,
    private readonly client: HubClient,
    private readonly cache: RepositoryCache,
    private readonly tell: (progress: PullProgress) => void,
  ) {}

  async run(signal: AbortSignal | undefined): Promise<Pulled> {
    const { commit, names } = await this.client.revision()
    const { small, weights } = wantedFiles(names)
    this.#checkNames(names, weights)
    await this.cache.prepare()
    const unlock = await lock(this.cache.lockPath, () => this.tell({ status: 'waiting' }), signal)
    try {
      const files = await this.#fetch([...small, weights as string], commit)
      if (isIndex(weights as string)) files.push(...(await this.#fetch(await this.#shards(files.at(-1) as RemoteFile, names), commit)))
      const path = await this.cache.publish(commit, this.id.revision, files)
      return { id: spellHubId(this.id), commit, path, files: files.map(({ name }) => name) }
    } finally {
      await unlock()
    }
  }

  #checkNames(names: string[], weights: string | undefined): void {
    const missing = !names.includes('config.json')
      ? 'config.json'
      : weights === undefined
        ? 'weights (safetensors or pytorch_model.bin)'
        : ''
    if (missing) throw new HubError('HUB_NOT_FOUND', `${spellHubId(this.id)} has no ${missing}: it is not a model that can be loaded here.`)
  }

  async #fetch(names: readonly string[], commit: string): Promise<RemoteFile[]> {
    const files: RemoteFile[] = []
    for (const name of names) files.push(await this.client.file(name, commit))
    for (const { bytes } of files) this.#total += bytes ?? 0
    for (const file of files) {
      const onBytes = (loaded: number) =>
        this.tell({ status: 'progress', file: file.name, loaded: this.#here + loaded, total: this.#total })
      await fetchBlob(this.client, file, commit, this.cache.blob(file.etag), onBytes)
      this.#here += file.bytes ?? 0
      this.tell({ status: 'done', file: file.name })
    }
    return files
  }

  async #shards(index: RemoteFile, names: readonly string[]): Promise<string[]> {
    const shards = shardsOf(await readFile(this.cache.blob(index.etag), 'utf8'))
    const missing = shards?.find((shard) => !names.includes(shard))
    if (shards && missing === undefined) return shards
    const fault = shards ? `names ${missing}, which is not there` : 'is not an index of shards'
    throw new HubError('HUB_RESPONSE', `${spellHubId(this.id)}: ${index.name} ${fault}. The model is incomplete where it is published.`)
  }
}

async function offline(id: HubId, cache: RepositoryCache): Promise<Pulled> {
  const path = await cache.find(id.revision)
  if (path && existsSync(join(path, 'config.json'))) return { id: spellHubId(id), commit: basename(path), path, files: await readdir(path) }
  throw new HubError(
    'HUB_OFFLINE',
    `${spellHubId(id)} is not in the cache ${cache.folder}, and HF_HUB_OFFLINE forbids to fetch it. Unset HF_HUB_OFFLINE, and pull again.`,
  )
}

const WRITE_FAULTS = new Set(['EACCES', 'EDQUOT', 'EEXIST', 'ENOSPC', 'ENOTDIR', 'EPERM', 'EROFS'])

/** What the disk does not take, however deep it was found. */
function writeError(error: unknown, { folder }: RepositoryCache): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (WRITE_FAULTS.has((cause as NodeJS.ErrnoException).code ?? '')) {
      const advice = 'Make room there, or set HF_HOME to a folder that you may write to'
      return new FileError('FILE_WRITE', `The model cannot be written to ${folder}: ${cause.message}. ${advice}.`, { cause: error })
    }
  }
  return error
}
