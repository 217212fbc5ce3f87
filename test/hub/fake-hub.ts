// A server with the routes of the Hugging Face hub that matter to a download, on this machine.
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { serve, sha256 } from '../libtorch/helpers.js'

export const COMMIT = '0123456789abcdef0123456789abcdef01234567'

export interface HubModel {
  files: Record<string, Buffer>
  /** Names of files that are kept as large ones: a redirection to the store, and a sha256 for an etag. */
  large?: string[]
  /** Without one of these tokens: 401. */
  tokens?: string[]
  /** Shown to everybody, but its files are not given out. */
  gated?: boolean
}

export interface FakeHub {
  endpoint: string
  /** 'GET /path' of each request, with its range and whether a token came along. */
  requests: { line: string; range?: string; token?: string }[]
  /** Looks at each request to the store first; true: it has answered. */
  onStore?: (request: IncomingMessage, response: ServerResponse, content: Buffer) => boolean
  /** Looks at each request to the hub first. */
  onHub?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** `models` by name. Large files come from a second server, which must never see a token. */
export async function fakeHub(models: Record<string, HubModel>): Promise<FakeHub> {
  const hub: FakeHub = { endpoint: '', requests: [] }
  const note = (request: IncomingMessage) => {
    const { range, authorization } = request.headers
    hub.requests.push({
      line: `${request.method} ${decodeURIComponent(new URL(request.url as string, 'http://x').pathname)}`,
      ...(range !== undefined && { range }),
      ...(authorization !== undefined && { token: authorization.replace('Bearer ', '') }),
    })
  }
  const store = await serve((request, response) => {
    note(request)
    const content = contents(models).find((bytes) => request.url?.startsWith(`/store/${sha256(bytes)}`))
    if (!content) return void response.writeHead(404).end()
    if (!hub.onStore?.(request, response, content)) send(content, request, response)
  })
  hub.endpoint = await serve((request, response) => {
    note(request)
    if (!hub.onHub?.(request, response)) answer(models, store, request, response)
  })
  return hub
}

const contents = (models: Record<string, HubModel>) => Object.values(models).flatMap(({ files }) => Object.values(files))

function answer(models: Record<string, HubModel>, store: string, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent(new URL(request.url as string, 'http://x').pathname)
  const [, name = '', revision = '', file] =
    /^\/api\/models\/(.+)\/revision\/(.+)$/.exec(path) ?? /^\/(.+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? []
  const model = models[name]
  const refuse = (status: number, code: string) => response.writeHead(status, { 'x-error-code': code }).end('no')
  if (!model) return void refuse(401, 'RepoNotFound') // as the hub does it: it does not tell what is private from what is not there
  const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
  if (model.tokens && !model.tokens.includes(token)) return void refuse(401, 'RepoNotFound')
  if (!['main', 'v1', COMMIT].includes(revision)) return void refuse(404, 'RevisionNotFound')
  if (file === undefined) {
    const siblings = Object.keys(model.files).map((rfilename) => ({ rfilename }))
    response.writeHead(200, { 'content-type': 'application/json' })
    return void response.end(JSON.stringify({ _id: '1', id: name, sha: COMMIT, siblings, lastModified: '2026-01-01T00:00:00.000Z' }))
  }
  if (model.gated) return void refuse(403, 'GatedRepo')
  const content = model.files[file]
  if (!content) return void refuse(404, 'EntryNotFound')
  if (model.large?.includes(file)) {
    const hash = sha256(content)
    const headers = { 'x-linked-etag': `"${hash}"`, 'x-linked-size': content.length, etag: '"of the redirection"' }
    response.writeHead(302, { ...headers, 'x-repo-commit': COMMIT, location: `${store}/store/${hash}?signature=1`, 'content-length': 5 })
    return void response.end(request.method === 'HEAD' ? undefined : 'Found')
  }
  response.setHeader('x-repo-commit', COMMIT)
  response.setHeader('etag', `W/"${gitHash(content)}"`)
  send(content, request, response)
}

export function gitHash(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
}

export function send(bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN)
  const range = { 'content-length': bytes.length - from, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
  if (Number.isNaN(from)) response.writeHead(200, { 'content-length': bytes.length })
  else response.writeHead(206, range)
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from || 0))
}
