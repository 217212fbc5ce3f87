import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { HubError } from '../errors.js'
import { sync } from '../synced.js'
import type { HubClient, RemoteFile } from './client.js'

const SHA256 = /^[0-9a-f]{64}$/

/**
 * Puts a file's content at `path`, whole and checked; what has arrived of it is kept in `<path>.incomplete`, as Python's tools keep it. Does nothing where it
 * is there.
 */
export async function fetchBlob(
  client: HubClient,
  file: RemoteFile,
  commit: string,
  path: string,
  onBytes: (loaded: number) => void,
): Promise<void> {
  if (existsSync(path)) return
  const incomplete = `${path}.incomplete`
  const resumed = existsSync(incomplete)
  await client.content(file, commit, incomplete, onBytes)
  const fault = await faultOf(incomplete, file)
  if (!fault) return settle(incomplete, path)
  await rm(incomplete, { force: true })
  // The beginning, which somebody else may have left, can be what is wrong.
  if (resumed) return fetchBlob(client, file, commit, path, onBytes)
  throw new HubError(
    'HUB_HASH',
    `${file.name} is not what the hub says it is: ${fault}. It was removed. Pull again; if it comes out the same, something on the way changes it.`,
  )
}

async function faultOf(path: string, { etag, bytes }: RemoteFile): Promise<string | undefined> {
  const { size } = await stat(path)
  if (bytes !== null && size !== bytes) return `it has ${size} bytes where ${bytes} were promised`
  if (!SHA256.test(etag)) return undefined
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  const found = hash.digest('hex')
  return found === etag ? undefined : `its sha256 is ${found} where ${etag} was promised`
}

async function settle(from: string, to: string): Promise<void> {
  await sync(from, 'r+')
  await rename(from, to)
}
