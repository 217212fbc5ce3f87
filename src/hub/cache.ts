import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { ModelError } from '../errors.js'
import { writeSynced } from '../synced.js'
import { cacheFolder } from './environment.js'
import { type HubId, parseHubId, spellHubId } from './id.js'

/**
 * Where the model called `source` lies on this machine: a path that exists, or the folder of a Hugging Face hub id ('google/t5-base-lm-adapt', with or
 * without '@REVISION') in the local cache that `softprompt pull` and Hugging Face's tools fill. Nothing is downloaded.
 *
 * Rejects with MODEL_NOT_FOUND.
 */
export async function locateModel(source: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (existsSync(source)) return source
  const advice = "Give the path of a model's folder or .pt file"
  const id = parseHubId(source)
  if (!id) throw new ModelError('MODEL_NOT_FOUND', `There is no model at ${source}. ${advice}.`)
  const cache = cacheFolder(env)
  const snapshot = await new RepositoryCache(cache, id.name).find(id.revision)
  if (snapshot) return snapshot
  throw new ModelError(
    'MODEL_NOT_FOUND',
    `There is no model at ${source}, and none of that name in the hub's cache ${cache}. ${advice}, or fetch it with \`softprompt pull ${spellHubId(id)}\`.`,
  )
}

/**
 * One model in Hugging Face's cache, as Python's huggingface_hub lays it out: `blobs/<etag>` holds the files' contents, `snapshots/<commit>/<name>` links to
 * them, and `refs/<revision>` names a commit.
 */
export class RepositoryCache {
  readonly folder: string
  /** Of this package's processes. */
  readonly lockPath: string

  constructor(cache: string, name: string) {
    const repository = `models--${name.replace('/', '--')}`
    this.folder = join(cache, repository)
    this.lockPath = join(cache, '.locks', repository, 'softprompt')
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit)
  }

  blob(etag: string): string {
    return join(this.folder, 'blobs', etag)
  }

  /** The folder of a branch, tag or commit that is here. */
  async find(revision: HubId['revision']): Promise<string | undefined> {
    const commit = await readFile(join(this.folder, 'refs', revision), 'utf8').catch(() => revision)
    const snapshot = this.snapshot(commit.trim())
    return existsSync(snapshot) ? snapshot : undefined
  }

  async prepare(): Promise<void> {
    await mkdir(join(this.folder, 'blobs'), { recursive: true })
    await mkdir(dirname(this.lockPath), { recursive: true })
  }

  /** Makes files, whose blobs are here, a snapshot, and `revision` a name for it. */
  async publish(commit: string, revision: string, files: readonly { name: string; etag: string }[]): Promise<string> {
    const snapshot = this.snapshot(commit)
    await mkdir(snapshot, { recursive: true })
    for (const { name, etag } of files) await link(this.blob(etag), join(snapshot, name))
    if (revision !== commit) await this.#writeRef(revision, commit)
    return snapshot
  }

  async #writeRef(revision: string, commit: string): Promise<void> {
    const path = join(this.folder, 'refs', revision)
    await mkdir(dirname(path), { recursive: true })
    const beside = `${path}.${process.pid}.tmp`
    await writeSynced(beside, commit, 'w')
    await rename(beside, path)
  }
}

/** A link as Python makes it, relative; a copy where links are not allowed (Windows without developer mode). */
async function link(blob: string, path: string): Promise<void> {
  if (existsSync(path)) return
  await rm(path, { force: true }) // a link to nothing
  try {
    await symlink(relative(dirname(path), blob), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    await copyFile(blob, path)
  }
}
