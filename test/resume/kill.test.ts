import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { TINY, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { cli, finished, jsonLines, start } from '../cli/helpers.js'

const folder = temporaryFolder()
const data = join(folder, 'data.jsonl')
writeFileSync(data, TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))

const MODEL = ['--model', TINY, '--threads', '1', '--dtype', 'float32']
const RUN = ['--train', data, '--validation', data, '--steps', '300', '--batch-size', '2', '--evaluate-every', '7', '--length', '4']
const KILLS = 25

interface Result {
  report: { steps: number }
  runs?: { report: object }[]
}

/** Numbers of a report that do not depend on the clock. */
function timeless({ report, runs }: Result) {
  const strip = (one: object) => ({ ...one, seconds: 0, examplesPerSecond: 0, pace: [], peakRss: 0 })
  return [report, ...(runs ?? []).map((run) => run.report)].map(strip)
}

/** Starts the run, and kills it some steps and some moments later. */
async function startAndKill(args: string[]): Promise<void> {
  const child = start(args)
  let left = 1 + Math.floor(4 * Math.random())
  const done = finished(child)
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{"type":"step"') && --left === 0) setTimeout(() => child.kill('SIGKILL'), 20 * Math.random())
  })
  const { code, stderr } = await done
  if (code !== null) throw new Error(`the run ended by itself (${code}): ${stderr}`)
}

test.concurrent.each([
  ['one run', ['--dropout', '0.1']],
  ['several runs', ['--seeds', '0,1', '--micro-batch-size', '3']],
])('%s, killed 25 times, ends as if it had never been', { timeout: 600_000 }, async (name, more) => {
  const paths = (kind: string) => ({ out: join(folder, `${name}-${kind}.safetensors`), checkpoint: join(folder, `${name}.ckpt`) })
  const { out, checkpoint } = paths('killed')
  const whole = paths('whole').out
  const reference = await cli(['tune', ...MODEL, ...RUN, ...more, '--out', whole, '--json'])
  expect(reference.code).toBe(0)
  const args = [
    'tune',
    ...MODEL,
    ...RUN,
    ...more,
    '--out',
    out,
    '--json',
    '--checkpoint',
    checkpoint,
    '--checkpoint-every',
    '2',
    '--resume',
  ]
  for (let kill = 0; kill < KILLS; kill++) await startAndKill(args)
  expect(existsSync(checkpoint)).toBe(true)
  const last = await cli(args)
  expect([last.code, last.stderr.includes('error')]).toEqual([0, false])
  const events = jsonLines(last.stdout)
  expect(events[0]!.resumedFrom).toBeGreaterThan(0)
  expect(readFileSync(out)).toEqual(readFileSync(whole))
  const results = [last, reference].map(({ stdout }) => timeless(jsonLines(stdout).at(-1) as unknown as Result))
  expect(results[0]).toEqual(results[1])
  // Nothing of the killed processes' writing is left.
  expect(readdirSync(folder).filter((file) => file.startsWith(`${name}.ckpt`))).toEqual([`${name}.ckpt`])
})

test('a checkpoint that another process is at is refused, and free when that is killed', { timeout: 120_000 }, async () => {
  const checkpoint = join(folder, 'held.ckpt')
  const args = ['tune', ...MODEL, ...RUN, '--checkpoint', checkpoint, '--checkpoint-every', '1', '--resume', '--json']
  const holder = start([...args, '--steps', '1000000', '--out', join(folder, 'holder.safetensors')])
  await new Promise<void>((resolve) => {
    createInterface({ input: holder.stdout }).on('line', (line) => line.startsWith('{"type":"checkpoint"') && resolve())
  })
  const second = await cli([...args, '--out', join(folder, 'second.safetensors')])
  expect(second.code).toBe(1)
  expect(second.stderr).toContain(`error CHECKPOINT_LOCKED: ${checkpoint} is in use by another run (process ${holder.pid})`)
  const ended = finished(holder)
  holder.kill('SIGKILL')
  await ended
  const third = await cli([...args, '--steps', '1000000', '--time-limit', '0.2', '--out', join(folder, 'third.safetensors')])
  expect([third.code, third.stderr.includes('CHECKPOINT')]).toEqual([0, false])
})
