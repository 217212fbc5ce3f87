import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from './network.js'

export interface TransferOptions {
  url: string
  /** Sent to the server of `url`; one that it redirects to does not see `authorization`. */
  headers?: Record<string, string>
  /** The size that the file must have, where it is known. */
  bytes: number | null
  onProgress(loaded: number, total: number | null): void
  signal?: AbortSignal | undefined
  /** Attempts in a row that may bring nothing new. */
  tries?: number
  /** Milliseconds: before the first retry (doubled after each); until the server answers; without a byte. */
  pause?: number
  answerWithin?: number
  idleFor?: number
}

export interface DownloadOptions extends TransferOptions {
  /** The finished file. What has arrived so far is `<to>.part` beside it, from which a later call goes on. */
  to: string
}

/** The server was not reached, or does not offer the file: there is no use in asking again. */
class Unavailable extends Error {}

const HOPELESS = new Set(['ENOTFOUND', 'ECONNREFUSED', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH'])

/** Downloads a file, going on where an earlier attempt stopped. Rejects with a plain `Error` that says what the server or the network did. */
export async function download({ to, ...options }: DownloadOptions): Promise<void> {
  const part = `${to}.part`
  await transfer(options, part)
  await rename(part, to)
}

/** Completes `part`, which may hold the beginning of the file. Rejects as `download` does. */
export async function transfer(options: TransferOptions, part: string): Promise<void> {
  const { signal, tries = 3, pause = 1000 } = options
  for (let failures = 0; ; ) {
    const before = await beginning(part, options.bytes)
    try {
      return await attempt(options, part, before)
    } catch (error) {
      signal?.throwIfAborted()
      failures = (await sizeOf(part)) > before ? 1 : failures + 1
      const hopeless = error instanceof Unavailable || HOPELESS.has(networkCode(error))
      if (hopeless || failures >= tries) throw new Error(describe(error), { cause: error })
      await sleep(pause * 2 ** (failures - 1), undefined, { signal })
    }
  }
}

/** How much of the file has arrived. More than the whole is of another file, and goes. */
async function beginning(part: string, bytes: number | null): Promise<number> {
  const size = await sizeOf(part)
  if (bytes === null || size <= bytes) return size
  await rm(part)
  return 0
}

async function attempt(options: TransferOptions, part: string, have: number): Promise<void> {
  if (options.bytes !== null && have === options.bytes) return
  const watch = watchdog(options)
  try {
    const headers = { ...options.headers, ...(have > 0 && { range: `bytes=${have}-` }) }
    const response = await request(options.url, { headers, signal: watch.signal })
    const { from, total } = await accepted(response, have, part)
    if (options.bytes !== null && total !== null && total !== options.bytes) {
      throw new Unavailable(`the server offers ${total} bytes where the file has ${options.bytes}`)
    }
    await receive(response, part, from, (loaded) => {
      watch.bite()
      options.onProgress(loaded, total ?? options.bytes)
    })
    if (total !== null && (await sizeOf(part)) !== total) throw new Error('the connection ended early')
  } finally {
    watch.stop()
  }
}

/** Where the answer's bytes belong, and how long the whole file is. */
async function accepted(response: Response, have: number, part: string): Promise<{ from: number; total: number | null }> {
  if (response.status === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? []
    if (Number(from) === have) return { from: have, total: Number(total) }
    throw new Unavailable('the server answered with another part of the file than the one asked for')
  }
  if (response.status === 416) {
    await rm(part, { force: true })
    throw new Error('the server has fewer bytes than had already arrived')
  }
  if (response.ok && response.body) {
    const length = response.headers.get('content-length')
    return { from: 0, total: length === null || response.headers.has('content-encoding') ? null : Number(length) }
  }
  const text = `the server answered ${response.status} ${response.statusText}`.trimEnd()
  throw response.status >= 500 || response.status === 429 ? new Error(text) : new Unavailable(text)
}

async function receive(response: Response, part: string, from: number, onBytes: (loaded: number) => void): Promise<void> {
  let loaded = from
  await pipeline(
    Readable.fromWeb(response.body as import('node:stream/web').ReadableStream),
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        loaded += chunk.length
        onBytes(loaded)
        yield chunk
      }
    },
    createWriteStream(part, { flags: from > 0 ? 'a' : 'w' }),
  )
}

/** Aborts where the server does not answer, or falls silent; every byte puts that off. */
export function watchdog({
  signal,
  answerWithin = 10_000,
  idleFor = 30_000,
}: Pick<TransferOptions, 'signal' | 'answerWithin' | 'idleFor'>) {
  const silence = new AbortController()
  const give = (ms: number) => setTimeout(() => silence.abort(new Error(`nothing arrived for ${ms / 1000} s`)), ms)
  let timer = give(answerWithin)
  return {
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    bite() {
      clearTimeout(timer)
      timer = give(idleFor)
    },
    stop: () => clearTimeout(timer),
  }
}

export function networkCode(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown }
  return typeof code === 'string' ? code : cause ? networkCode(cause) : ''
}

// fetch says only "fetch failed"; what happened is in its cause.
export function describe(error: unknown): string {
  const { message, cause } = error as Error
  if (!(cause instanceof Error)) return message
  const reason = innermost(cause)
  const why = reason.message || networkCode(reason)
  return why && !message.includes(why) ? `${message}: ${why}` : message
}

/** undici says "fetch failed", since "Request was cancelled", since the proxy gave 407. */
const innermost = (error: Error): Error => (error.cause instanceof Error ? innermost(error.cause) : error)

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0
}
