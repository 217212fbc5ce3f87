import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../api/helpers.js'

interface Step {
  name?: string
  if?: string
  uses?: string
  run?: string
  with?: Record<string, unknown>
}

interface Job {
  needs?: string | string[]
  if?: string
  container?: string
  permissions?: Record<string, string>
  strategy?: { matrix: { include: Record<string, string>[] } }
  'runs-on': string
  'timeout-minutes': number
  steps: Step[]
}

interface Workflow {
  permissions: Record<string, string>
  jobs: Record<string, Job>
}

const FOLDER = join(ROOT, '.github', 'workflows')
const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
const read = (name: string) => parse(readFileSync(join(FOLDER, name), 'utf8'), { uniqueKeys: true }) as Workflow
const runs = ({ steps }: Job) => steps.flatMap(({ run }) => (run === undefined ? [] : [run]))
const all = readdirSync(FOLDER).flatMap((file) => Object.entries(read(file).jobs).map(([name, job]) => [file, name, job] as const))

describe.each(all)('%s, %s', (file, _name, job) => {
  test('has a machine, a limit and steps that each do one thing', () => {
    expect(job['runs-on']).toBeTypeOf('string')
    expect(job['timeout-minutes']).toBeTypeOf('number')
    for (const step of job.steps) {
      expect('run' in step !== 'uses' in step, JSON.stringify(step)).toBe(true)
      if (step.uses) expect(step.uses).toMatch(/^[\w-]+\/[\w-]+@v\d+$/)
    }
  })

  test('waits for jobs that exist, and asks the matrix for what it has', () => {
    const { jobs } = read(file)
    for (const other of [job.needs ?? []].flat()) expect(jobs).toHaveProperty(other)
    const rows = job.strategy?.matrix.include ?? []
    for (const [, key] of JSON.stringify(job).matchAll(/matrix\.(\w+)/g))
      expect(
        rows.some((row) => key! in row),
        key,
      ).toBe(true)
  })

  test('runs what is there', () => {
    for (const script of runs(job)) {
      const { status, stderr } = spawnSync('bash', ['-n', '-c', script.replaceAll(/\$\{\{.*?\}\}/g, 'x')], { encoding: 'utf8' })
      expect(status, `${script}\n${stderr}`).toBe(0)
      for (const [, name] of script.matchAll(/\bnpm run ([\w:-]+)/g)) expect(Object.keys(PACKAGE.scripts)).toContain(name)
      for (const [path] of script.matchAll(/^\.ci\/\w+/gm)) expect(statSync(join(ROOT, path)).mode & 0o111, path).not.toBe(0)
      if (script.startsWith('build/')) expect(readFileSync(join(ROOT, 'CMakeLists.txt'), 'utf8')).toContain(`${script.slice(6)} `)
    }
  })
})

test('.ci/run runs what is there', () => {
  const script = readFileSync(join(ROOT, '.ci', 'run'), 'utf8')
  for (const [, name] of script.matchAll(/npm run (?:--silent )?([\w:-]+)/g)) expect(Object.keys(PACKAGE.scripts)).toContain(name)
})

describe('a release', () => {
  const { permissions, jobs } = read('release.yml')

  test('builds for Linux where glibc is old', () => {
    const linux = jobs.prebuild!.strategy!.matrix.include.filter(({ platform }) => platform!.startsWith('linux'))
    expect(linux.map(({ container }) => container?.split('/').at(-1))).toEqual(['manylinux_2_28_x86_64', 'manylinux_2_28_aarch64'])
    expect(jobs.prebuild!.container).toMatch(/^\$\{\{ matrix\.container \}\}$/)
  })

  test('lets only the jobs that publish speak for the project, and only for a tag', () => {
    expect(permissions).toEqual({ contents: 'read' })
    const speaking = Object.entries(jobs).filter(([, job]) => job.permissions?.['id-token'] === 'write')
    expect(speaking.map(([name]) => name)).toEqual(['publish', 'publish-site'])
    for (const [, job] of speaking) expect(job.if).toBe("startsWith(github.ref, 'refs/tags/v')")
  })

  test('publishes the packages that were packed, with provenance', () => {
    const uploaded = jobs.package!.steps.find(({ uses }) => uses?.startsWith('actions/upload-artifact'))!.with!
    const downloaded = jobs.publish!.steps.find(({ uses }) => uses?.startsWith('actions/download-artifact'))!.with!
    expect(downloaded.name).toBe(uploaded.name)
    expect(uploaded.path).toBe('build/packages/*.tgz') // where scripts/pack.mjs and pack-libtorch.mjs put them
    const [publish] = runs(jobs.publish!)
    expect(publish).toContain(`for tarball in ${downloaded.path}softprompt-libtorch-*.tgz ${downloaded.path}softprompt-[0-9]*.tgz; do`)
    expect(publish).toContain('npm publish "./$tarball" --provenance --access public')
  })

  test('publishes the site that `npm run docs` makes', () => {
    const { out } = JSON.parse(readFileSync(join(ROOT, 'typedoc.json'), 'utf8')) as { out: string }
    const uploaded = jobs.site!.steps.find(({ uses }) => uses?.startsWith('actions/upload-pages-artifact'))!.with!
    expect(uploaded.path).toBe(`${out}/`)
    expect(existsSync(join(ROOT, 'typedoc.json'))).toBe(true)
  })
})
