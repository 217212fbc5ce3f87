import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterEach } from 'vitest'
import yazl from 'yazl'
import { CUDA_LIBRARY, REQUIRED_LIBRARIES } from '../../src/libtorch/release.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'softprompt-test-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A library as far as its header says: of this machine's architecture, and whole. */
export function tinyLibrary(): Buffer {
  const header = Buffer.alloc(64)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(process.arch === 'arm64' ? 183 : 62, 18)
  return header
}

export async function writeZip(path: string, files: Record<string, string | Buffer>): Promise<Buffer> {
  const zip = new yazl.ZipFile()
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name)
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(path))
  return readFileSync(path)
}

/** The files of a LibTorch as small as can be; `padding` bytes that do not compress make it take several packets. */
export function tinyLibtorch(prefix: 'libtorch/' | 'torch/', padding = 0): Record<string, string | Buffer> {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(padding))
  return {
    ...Object.fromEntries(REQUIRED_LIBRARIES.map((name) => [`${prefix}lib/${name}`, tinyLibrary()])),
    [`${prefix}lib/libgomp.so.1`]: 'library libgomp',
    [`${prefix}lib/libtorch_python.so`]: 'for Python',
    [`${prefix}lib/libshm/core.h`]: 'for Python',
    [`${prefix}include/ATen/ATen.h`]: noise,
    [`${prefix}share/notes.txt`]: 'not wanted',
    [`${prefix}__init__.py`]: 'not wanted',
  }
}

export function tinyWheel(version: string, { cuda = false } = {}): Record<string, string | Buffer> {
  return {
    ...tinyLibtorch('torch/'),
    ...(cuda ? { [`torch/lib/${CUDA_LIBRARY}`]: 'library with CUDA' } : {}),
    [`torch-${version}.dist-info/METADATA`]: `Metadata-Version: 2.4\nName: torch\nVersion: ${version}\n\nText`,
  }
}

/** A stand-in for python3: its pip copies `wheel` into the folder asked for, or fails as pip does where there is none. It notes how it was called. */
export function fakePython(folder: string, wheel: string | null): { python: string; calls: () => string[] } {
  const python = join(folder, 'python3')
  const log = join(folder, 'calls.txt')
  const serve = wheel
    ? `cp "${wheel}" "$folder/" && echo "Saved $folder/$(basename "${wheel}")"`
    : 'echo "ERROR: No matching distribution found for torch" >&2; exit 1'
  writeFileSync(python, `#!/bin/sh\necho "$*" >> "${log}"\nfor folder; do :; done\n${serve}\n`)
  chmodSync(python, 0o755)
  writeFileSync(log, '')
  return { python, calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean) }
}

/** An HTTP server on this machine for the length of a test. */
export async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers with `bytes`, whole or from where the request's Range begins. */
export function sendRange(bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN)
  if (Number.isNaN(from)) response.writeHead(200, { 'content-length': bytes.length })
  else
    response.writeHead(206, { 'content-length': bytes.length - from, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
  response.end(bytes.subarray(from || 0))
}
