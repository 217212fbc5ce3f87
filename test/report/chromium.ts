import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'

const NAMES = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'].filter((name) => name !== undefined)

/** A browser of this machine; undefined where there is none. */
export const chromium = NAMES.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)

export type Theme = 'light' | 'dark'

/** What a browser saw of a page. */
export interface Visit {
  /** Urls that were asked for. */
  requests: string[]
  /** Messages of the console, exceptions and violated policies. */
  complaints: string[]
  /** What the expression gave in the page. */
  value: unknown
  /** PNG of the whole page, in base64. */
  screenshot: string
}

/** Opens a file in the theme, `width` pixels wide, and evaluates an expression in it. */
export async function visit(file: string, theme: Theme, expression: string, width = 1100): Promise<Visit> {
  const browser = new Browser()
  try {
    return await browser.visit(pathToFileURL(file).href, theme, expression, width)
  } finally {
    await browser.close()
  }
}

interface Message {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { message: string }
}

/** The DevTools protocol over a pair of pipes. */
class Browser {
  readonly #profile = mkdtempSync(join(tmpdir(), 'softprompt-chromium-'))
  readonly #process: ChildProcess
  readonly #died: Promise<never>
  readonly #waiting = new Map<number, (message: Message) => void>()
  readonly #events: Message[] = []
  #wake = () => {}
  #session: string | undefined
  #calls = 0

  constructor() {
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--remote-debugging-pipe',
      `--user-data-dir=${this.#profile}`,
    ]
    this.#process = spawn(chromium as string, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] })
    this.#died = new Promise((_, reject) => this.#process.once('exit', (code) => reject(new Error(`the browser ended with ${code}`))))
    this.#died.catch(() => {})
    let text = ''
    const messages = this.#process.stdio[4] as Readable
    messages.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0')
      text = parts.pop() ?? ''
      for (const part of parts) this.#receive(JSON.parse(part) as Message)
    })
  }

  async visit(url: string, theme: Theme, expression: string, width: number): Promise<Visit> {
    const { targetId } = await this.#call('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.#call('Target.attachToTarget', { targetId, flatten: true })
    this.#session = sessionId as string
    for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await this.#call(`${domain}.enable`)
    await this.#call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: theme }] })
    await this.#call('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: width < 600 })
    await this.#call('Page.navigate', { url })
    await this.#event('Page.loadEventFired')
    const evaluated = await this.#call('Runtime.evaluate', { expression, returnByValue: true })
    const { data } = await this.#call('Page.captureScreenshot', { captureBeyondViewport: true })
    return {
      requests: this.#all('Network.requestWillBeSent').map(({ request }) => (request as { url: string }).url),
      complaints: ['Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Log.entryAdded'].flatMap((name) =>
        this.#all(name).map((params) => JSON.stringify(params)),
      ),
      value: (evaluated.result as { value: unknown }).value,
      screenshot: data as string,
    }
  }

  async close(): Promise<void> {
    this.#session = undefined
    await this.#call('Browser.close').catch(() => {})
    await this.#died.catch(() => {})
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }

  #receive(message: Message): void {
    if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
    else this.#events.push(message)
    this.#wake()
  }

  #all(method: string): Record<string, unknown>[] {
    return this.#events.filter((event) => event.method === method).map(({ params }) => params ?? {})
  }

  async #event(method: string): Promise<void> {
    while (this.#all(method).length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  async #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#calls
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    const pipe = this.#process.stdio[3] as Writable
    pipe.write(`${JSON.stringify({ id, method, params, ...(this.#session && { sessionId: this.#session }) })}\0`)
    const { result, error } = await Promise.race([answer, this.#died])
    if (error) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }
}
