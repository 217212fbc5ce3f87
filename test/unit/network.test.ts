import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { download } from '../../src/download.js'
import { pull } from '../../src/hub/pull.js'
import { request } from '../../src/network.js'
import { fakeHub } from '../hub/fake-hub.js'
import { sendRange, serve, temporaryFolder } from '../libtorch/helpers.js'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
  vi.unstubAllEnvs()
})

function setVariables(variables: Record<string, string>): void {
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'HF_HUB_OFFLINE', 'HF_TOKEN']) {
    vi.stubEnv(name, undefined)
    vi.stubEnv(name.toLowerCase(), undefined)
  }
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
}

/** A proxy on this machine: whatever host is asked for, it leads to `target`. It notes what it was asked. */
async function proxy(target: string, user?: string): Promise<{ at: string; asked: string[] }> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connect', (incoming, client: Socket) => {
    asked.push(incoming.url ?? '')
    sockets.add(client)
    const given = Buffer.from((incoming.headers['proxy-authorization'] ?? '').replace('Basic ', ''), 'base64').toString()
    if (user !== undefined && given !== user) return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const server = connect(Number(new URL(target).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      server.pipe(client).pipe(server)
    })
    sockets.add(server)
    for (const socket of [client, server]) socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { at: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const content = Buffer.from('what the file holds')
const files = () => serve((incoming, response) => sendRange(content, incoming, response))

it('downloads through the proxy of the environment, from a host that this machine cannot find', async () => {
  const { at, asked } = await proxy(await files())
  setVariables({ HTTP_PROXY: `http://${at}` })
  const to = join(temporaryFolder(), 'file')
  await download({ url: 'http://files.invalid/file', to, bytes: content.length, onProgress() {} })
  expect(readFileSync(to)).toEqual(content)
  expect(asked).toEqual(['files.invalid:80'])
})

it('asks the proxy of HTTPS_PROXY for https alone, and neither for the hosts of NO_PROXY', async () => {
  const direct = await files()
  const { at, asked } = await proxy(direct)
  setVariables({ https_proxy: `http://${at}` })
  expect(await (await request(`${direct}/file`)).text()).toBe(content.toString())
  await expect(request('https://files.invalid/file')).rejects.toThrow() // the file server speaks no TLS
  expect(asked).toEqual(['files.invalid:443'])
  setVariables({ HTTP_PROXY: `http://${at}`, NO_PROXY: 'example.org,127.0.0.1' })
  expect(await (await request(`${direct}/file`)).text()).toBe(content.toString())
  expect(asked).toHaveLength(1)
})

it('gives the proxy the name and password of its address, and says so where they are wrong', async () => {
  const { at } = await proxy(await files(), 'me:secret')
  setVariables({ HTTP_PROXY: `http://me:secret@${at}` })
  expect(await (await request('http://files.invalid/file')).text()).toBe(content.toString())
  setVariables({ HTTP_PROXY: `http://me:wrong@${at}` })
  const to = join(temporaryFolder(), 'file')
  const failed = download({ url: 'http://files.invalid/file', to, bytes: null, tries: 1, onProgress() {} })
  await expect(failed).rejects.toThrow('407')
})

it('says which machine was not there where the proxy is not', async () => {
  setVariables({ HTTP_PROXY: 'http://127.0.0.1:1' })
  const to = join(temporaryFolder(), 'file')
  const failed = download({ url: 'http://files.invalid/file', to, bytes: null, onProgress() {} })
  await expect(failed).rejects.toThrow('ECONNREFUSED')
})

it('pulls a model through it: the answers and the files', async () => {
  const hub = await fakeHub({
    'me/model': { files: { 'config.json': Buffer.from('{}'), 'model.safetensors': content, 'spiece.model': content } },
  })
  const { at, asked } = await proxy(hub.endpoint)
  setVariables({ HTTP_PROXY: `http://${at}`, HF_ENDPOINT: 'http://hub.invalid', HF_HUB_CACHE: temporaryFolder() })
  const { files } = await pull('me/model')
  expect(files).toContain('model.safetensors')
  expect(new Set(asked)).toEqual(new Set(['hub.invalid:80']))
})
