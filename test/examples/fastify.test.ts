// examples/fastify as its users run it: a process of its own, asked over HTTP.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NANO, temporaryFolder, wavyPrompt } from '../api/helpers.js'
import { installedExample } from './installed.js'

const WIDTH = 192
const prompts = temporaryFolder()
let server: ChildProcess
let url: string
let log = ''

beforeAll(async () => {
  await wavyPrompt(4, WIDTH).save(join(prompts, 'a.safetensors'))
  server = spawn(process.execPath, ['server.mjs'], {
    cwd: installedExample('fastify', ['fastify']),
    env: { ...process.env, MODEL: NANO, PROMPTS: prompts, PORT: '0' },
  })
  for (const stream of [server.stdout, server.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
  }
  await until(() => /listening at (http:[^"]+)/.test(log) || server.exitCode !== null)
  url = /listening at (http:[^"]+)/.exec(log)?.[1] ?? ''
  if (!url) throw new Error(log)
})

afterAll(() => server?.kill('SIGKILL'))

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(20)
}

const post = (path: string, body: object) =>
  fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

const names = async () => (await (await fetch(`${url}/prompts`)).json()) as string[]

const generate = async (prompt: string) => {
  const response = await post(`/generate/${prompt}`, { input: 'play some jazz', maxNewTokens: 8 })
  expect(response.status).toBe(200)
  return (await response.json()) as { text: string; logProb: number }
}

it('serves a prompt by its name, whole and as a stream', async () => {
  expect(await names()).toEqual(['a'])
  const { text } = await generate('a')
  const stream = await post('/stream/a', { input: 'play some jazz', maxNewTokens: 8 })
  expect(stream.headers.get('content-type')).toContain('text/plain')
  expect(await stream.text()).toBe(text)
  const classified = await post('/classify/a', { input: 'play some jazz', labels: ['music', 'weather'] })
  expect(['music', 'weather']).toContain(((await classified.json()) as { label: string }).label)
})

it('says what there is where a name or a body is wrong', async () => {
  const unknown = await post('/generate/b', { input: 'x' })
  expect([unknown.status, await unknown.json()]).toEqual([404, { error: 'no prompt b; there are: a' }])
  expect((await post('/generate/a', { inputs: 'x' })).status).toBe(400)
})

it('takes up files that are added, replaced and removed, and keeps a prompt whose new file is broken', async () => {
  await wavyPrompt(2, WIDTH).save(join(prompts, 'b.safetensors'))
  await until(async () => (await names()).includes('b'))
  const before = await generate('b')
  writeFileSync(join(prompts, 'b.safetensors'), 'no prompt')
  await until(() => log.includes('prompt b: ') && /prompt b: (?!loaded)/.test(log))
  expect(await generate('b')).toEqual(before)
  await wavyPrompt(9, WIDTH).save(join(prompts, 'b.safetensors'))
  await until(async () => (await generate('b')).logProb !== before.logProb)
  rmSync(join(prompts, 'b.safetensors'))
  await until(async () => !(await names()).includes('b'))
})

it('answers what is under way when it is told to end, and then ends', async () => {
  const received = () => log.split('?load').length - 1
  const calls = Array.from({ length: 24 }, (_, i) =>
    post(i % 3 === 0 ? '/stream/a?load' : '/generate/a?load', { input: `question ${i}`, maxNewTokens: 40 }).then(async (response) => {
      await response.text()
      return response.status
    }),
  )
  const first = await Promise.race(calls)
  await until(() => received() === calls.length)
  server.kill('SIGTERM')
  expect(first).toBe(200)
  const statuses = await Promise.all(calls.map((call) => call.catch((error: Error) => error.message)))
  const [code, signal] = server.exitCode === null ? await once(server, 'exit') : [server.exitCode, null]
  expect(statuses).toEqual(calls.map(() => 200))
  expect([code, signal]).toEqual([0, null])
})
