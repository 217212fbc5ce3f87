import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mustRun } from './sandbox.js'

export interface Registry {
  url: string
  publish(tarball: string): Promise<void>
  stop(): Promise<void>
}

/** A registry on this machine: what is published to it, and, for everything else, the registry that this machine's npm is set to use. */
export async function startRegistry(folder: string, verdaccio: string): Promise<Registry> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const upstream = (await mustRun('npm', ['config', 'get', 'registry'])).trim()
  const config = join(folder, 'verdaccio.yaml')
  // YAML is a superset of JSON.
  writeFileSync(config, JSON.stringify(settings(join(folder, 'storage'), upstream)))
  const child = spawn(process.execPath, [verdaccio, '--config', config, '--listen', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await answers(`${url}-/ping`, child)
  const npmrc = join(folder, 'publisher.npmrc')
  writeFileSync(npmrc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=anybody\n`)
  return {
    url,
    async publish(tarball) {
      await mustRun('npm', ['publish', tarball, '--userconfig', npmrc, '--registry', url, '--access', 'public', '--loglevel=error'])
    },
    async stop() {
      if (child.exitCode !== null) return
      child.kill()
      await once(child, 'exit')
    },
  }
}

function settings(storage: string, upstream: string) {
  const ours = { access: '$all', publish: '$all' }
  return {
    storage,
    uplinks: { upstream: { url: upstream, timeout: '60s', maxage: '60m' } },
    packages: { softprompt: ours, '@softprompt/*': ours, '**': { access: '$all', proxy: 'upstream' } },
    max_body_size: '400mb',
    web: { enable: false },
    log: { type: 'stdout', level: 'error' },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    )
    if (ok) return
    await sleep(100)
  }
  throw new Error(`the registry ended with ${child.exitCode}`)
}
