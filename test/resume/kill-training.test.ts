import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { TINY, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { cli, finished, jsonLines, start } from '../cli/helpers.js'
import { TINY_TEXT } from '../train/helpers.js'

const folder = temporaryFolder()
const file = (name: string, rows: readonly object[]) => {
  writeFileSync(join(folder, name), rows.map((row) => JSON.stringify(row)).join('\n'))
  return join(folder, name)
}
const examples = file('data.jsonl', TINY_EXAMPLES)
const text = file(
  'text.jsonl',
  TINY_TEXT.map((ids) => ({ text: ids })),
)

const COMMON = ['--threads', '1', '--device', 'cpu', '--dtype', 'float32', '--batch-size', '2', '--evaluate-every', '7']
const KILLS = 5

/** Starts the run, and kills it some steps and some moments later. */
async function startAndKill(args: string[]): Promise<void> {
  const child = start(args)
  let left = 1 + Math.floor(8 * Math.random())
  const done = finished(child)
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{"type":"step"') && --left === 0) setTimeout(() => child.kill('SIGKILL'), 20 * Math.random())
  })
  const { code, stderr } = await done
  if (code !== null) throw new Error(`the run ended by itself (${code}): ${stderr}`)
}

test.each([
  ['finetune', ['finetune', '--model', TINY, '--train', examples, '--validation', examples, '--dropout', '0.1', '--steps', '150']],
  ['adapt', ['adapt', '--model', TINY, '--text', text, '--held-out', '0.2', '--window-length', '12', '--steps', '150']],
])('%s, killed five times, ends as if it had never been', { timeout: 600_000 }, async (name, command) => {
  const [whole, out, checkpoint] = [join(folder, `${name}-whole`), join(folder, `${name}-killed`), join(folder, `${name}.ckpt`)]
  const args = (more: string[]) => [...command, ...COMMON, '--json', ...more]
  const reference = await cli(args(['--out', whole]))
  expect([reference.code, reference.stderr]).toEqual([0, ''])
  const killed = args(['--out', out, '--checkpoint', checkpoint, '--checkpoint-every', '2', '--resume'])
  for (let kill = 0; kill < KILLS; kill++) await startAndKill(killed)
  expect(existsSync(checkpoint)).toBe(true)
  const last = await cli(killed)
  expect(last.code).toBe(0)
  expect(jsonLines(last.stdout)[0]!.resumedFrom).toBeGreaterThan(0)
  const weights = [whole, out].map((path) => readFileSync(join(path, 'model.safetensors')))
  expect(weights[0]!.equals(weights[1]!)).toBe(true)
  expect(readdirSync(folder).filter((entry) => entry.startsWith(`${name}.ckpt`))).toEqual([`${name}.ckpt`])
})
