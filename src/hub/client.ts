import { setTimeout as sleep } from 'node:timers/promises'
import { describe, type TransferOptions, transfer, watchdog } from '../download.js'
import { HubError } from '../errors.js'
import { request } from '../network.js'
import { type HubId, spellHubId } from './id.js'

export interface ClientOptions {
  endpoint: string
  token?: string | undefined
  signal?: AbortSignal | undefined
  network?: Pick<TransferOptions, 'tries' | 'pause' | 'answerWithin' | 'idleFor'>
}

export interface RemoteFile {
  name: string
  /** Names the content: its sha256 for large files. */
  etag: string
  /** Null where the server does not say. */
  bytes: number | null
}

/** What a hub says about one model, and its files. Every failure is a HubError. */
export class HubClient {
  constructor(
    private readonly id: HubId,
    private readonly options: ClientOptions,
  ) {}

  /** The commit that the revision stands for, and the names of all its files. */
  async revision(): Promise<{ commit: string; names: string[] }> {
    const { modelInfo } = await import('@huggingface/hub')
    const { name, revision } = this.id
    const ask = ((url: string, init?: RequestInit) => this.#request(url, init)) as typeof fetch
    const info = await modelInfo({
      name,
      revision,
      hubUrl: this.options.endpoint,
      additionalFields: ['sha', 'filePaths'],
      fetch: ask,
    }).catch((error: unknown) => {
      throw HubError.isInstance(error) || this.options.signal?.aborted ? error : this.#strange(`its answer is not JSON`, error)
    })
    if (typeof info.sha !== 'string' || !/^[\w-]+$/.test(info.sha)) throw this.#strange('it does not say which commit that is')
    return { commit: info.sha, names: info.filePaths }
  }

  /** The content's name and size, without the content. */
  async file(name: string, commit: string): Promise<RemoteFile> {
    const { headers, status } = await this.#head(this.#urlOf(name, commit))
    const etag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
    if (!/^[\w-][\w.-]*$/.test(etag)) throw this.#strange(`it gives no usable etag for ${name}`)
    // Of a redirection, content-length is its own.
    const size = headers.get('x-linked-size') ?? (status < 300 ? headers.get('content-length') : null)
    return { name, etag, bytes: size === null ? null : Number(size) }
  }

  /** Completes `path` with the file's content. */
  async content(file: RemoteFile, commit: string, path: string, onBytes: (loaded: number) => void): Promise<void> {
    const { signal, network } = this.options
    const url = this.#urlOf(file.name, commit)
    try {
      await transfer({ ...network, url, headers: this.#headers(), bytes: file.bytes, signal, onProgress: onBytes }, path)
    } catch (error) {
      signal?.throwIfAborted()
      throw this.#network(error, `${file.name} did not arrive whole; what has arrived is kept, and the next pull goes on from there`)
    }
  }

  #urlOf(name: string, commit: string): string {
    return `${this.options.endpoint}/${this.id.name}/resolve/${encodeURIComponent(commit)}/${encodeURIComponent(name)}`
  }

  #headers(): Record<string, string> {
    const { token } = this.options
    return { 'accept-encoding': 'identity', ...(token && { authorization: `Bearer ${token}` }) }
  }

  /** Follows redirections within the server, which keep the file's headers; one to elsewhere is where the content is. */
  async #head(url: string): Promise<Response> {
    for (let hops = 0; hops < 5; hops++) {
      const response = await this.#request(url, { method: 'HEAD', redirect: 'manual' })
      const location = response.headers.get('location') ?? ''
      if (response.status < 300 || !location.startsWith('/') || location.startsWith('//')) return response
      url = new URL(location, url).href
    }
    throw this.#strange('it redirects in circles')
  }

  /** An answer that is no error; asks again where the server or the network may recover. */
  async #request(url: string, init: RequestInit = {}): Promise<Response> {
    const { tries = 3, pause = 1000 } = this.options.network ?? {}
    for (let failures = 1; ; failures++) {
      const outcome = await this.#ask(url, init)
      const temporary = outcome instanceof Error || outcome.status >= 500 || outcome.status === 429
      if (!temporary && outcome.status < 400) return outcome as Response
      if (!temporary || failures >= tries) throw this.#failure(outcome)
      await sleep(pause * 2 ** (failures - 1), undefined, { signal: this.options.signal })
    }
  }

  async #ask(url: string, init: RequestInit): Promise<Response | Error> {
    const { signal, network } = this.options
    const watch = watchdog({ ...network, signal })
    try {
      return await request(url, { ...init, headers: { ...init.headers, ...this.#headers() }, signal: watch.signal })
    } catch (error) {
      signal?.throwIfAborted()
      return error as Error
    } finally {
      watch.stop()
    }
  }

  #failure(outcome: Response | Error): HubError {
    const { endpoint, token } = this.options
    const { name, revision } = this.id
    if (outcome instanceof Error) return this.#network(outcome, `${endpoint} could not be reached`)
    const reason = outcome.headers.get('x-error-code') ?? ''
    const page = `${endpoint}/${name}`
    const login = `a token of an account that may read it (HF_TOKEN, --token, or \`hf auth login\`)`
    if (reason === 'GatedRepo' || outcome.status === 403) {
      return new HubError('HUB_GATED', `${name} is gated: accept its terms at ${page}, and give ${login}.`)
    }
    if (outcome.status === 401) {
      const refused = token ? 'the hub refuses the token that was given' : 'the hub wants to know who asks'
      return new HubError('HUB_UNAUTHORIZED', `${name}: ${refused}. It is private, or not there at all: check the name, and give ${login}.`)
    }
    if (outcome.status === 404) {
      const what = reason === 'RevisionNotFound' ? `${name} has no revision ${revision}` : `${endpoint} has no model ${spellHubId(this.id)}`
      return new HubError('HUB_NOT_FOUND', `${what}. Check the spelling at ${page}.`)
    }
    if (outcome.status < 500 && outcome.status !== 429) return this.#strange(`it answers ${outcome.status} ${outcome.statusText}`.trimEnd())
    const answer = new Error(`the server answered ${outcome.status} ${outcome.statusText}`.trimEnd())
    return this.#network(answer, `${endpoint} does not serve ${name} at the moment`)
  }

  #network(cause: unknown, what: string): HubError {
    const advice = 'Check the connection (and HF_ENDPOINT), and pull again'
    return new HubError('HUB_NETWORK', `${what}: ${describe(cause)}. ${advice}.`, { cause })
  }

  #strange(what: string, cause?: unknown): HubError {
    const { endpoint } = this.options
    return new HubError(
      'HUB_RESPONSE',
      `${endpoint} does not answer as a hub does for ${spellHubId(this.id)}: ${what}. Check HF_ENDPOINT.`,
      {
        cause,
      },
    )
  }
}
