import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { Calls } from '../../../examples/electron/calls.mjs'
import { ROOT } from '../../api/helpers.js'
import { run } from '../../package/sandbox.js'

const TYPES: Record<string, string> = { '.html': 'text/html', '.mjs': 'text/javascript', '.css': 'text/css' }

export async function findBrowser(): Promise<string | null> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const { code } = await run(name, ['--version']).catch(() => ({ code: 1 }))
    if (code === 0) return name
  }
  return null
}

/** The example's page over HTTP, with bridge.mjs before its script. The file that the page chooses is `csv`. */
export async function servePage(calls: Calls, csv: string) {
  const file = (name: string) =>
    name === 'bridge.mjs' ? join(ROOT, 'test/examples/electron/bridge.mjs') : join(ROOT, 'examples/electron', name)
  const server = createServer(async (request, response) => {
    const name = (request.url ?? '').slice(1) || 'index.html'
    if (name === 'tune') {
      const outcome = await calls
        .tune(csv, (event) => response.write(`${JSON.stringify(event)}\n`))
        .then(
          (result) => ({ result }),
          (error: Error) => ({ failure: error.message }),
        )
      return response.end(JSON.stringify(outcome))
    }
    if (name === 'ask') {
      const { input } = (await json(request as IncomingMessage)) as { input: string }
      return response.end(JSON.stringify({ result: await calls.ask(input) }))
    }
    if (!/^[\w.]+$/.test(name) || !(extname(name) in TYPES)) return response.writeHead(404).end()
    const text = readFileSync(file(name), 'utf8')
    response.writeHead(200, { 'content-type': TYPES[extname(name)] })
    response.end(text.replace('<script', '<script type="module" src="bridge.mjs"></script>\n    <script'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() }
}

/** Opens a page without a window, lets it come to rest, and gives its DOM; with `screenshot`, writes a picture instead. Its clock stands while requests are open. */
export async function openPage(browser: string, url: string, profile: string, screenshot?: string): Promise<string> {
  const what = screenshot ? [`--screenshot=${screenshot}`, '--window-size=760,560'] : ['--dump-dom']
  const options = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--user-data-dir=${profile}`]
  const { code, stdout, stderr } = await run(browser, [...options, '--virtual-time-budget=20000', ...what, url])
  if (code !== 0) throw new Error(`the browser ended with ${code}: ${stderr}`)
  return stdout
}
