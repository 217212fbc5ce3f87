import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT } from '../api/helpers.js'

const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

test("README's example runs", async () => {
  const code = /```js\n(import \{ T5 \}.*?)```/s.exec(README)?.[1] ?? ''
  expect(code).toContain("T5.load('models/nano-t5'")
  // As it stands, but for the number of steps. Inside the package, so that 'softprompt' is this package; run from its folder, so that the paths are right.
  mkdirSync(join(ROOT, 'build'), { recursive: true })
  const folder = mkdtempSync(join(ROOT, 'build', 'readme-'))
  try {
    const file = join(folder, 'example.mjs')
    const saved = join(folder, 'snips.safetensors')
    writeFileSync(
      file,
      code.replace('steps: 400', 'steps: 4').replace('Every: 100', 'Every: 2').replace("'snips.safetensors'", JSON.stringify(saved)),
    )
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: ROOT })
    expect(stdout).toContain('step 4: accuracy')
    expect(stdout.split('\n').length).toBe(4) // two evaluations, and the answer
    expect(readFileSync(saved).length).toBeGreaterThan(100 * 4)
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 240_000)

test('README names every command and every call', () => {
  for (const name of ['demo', 'doctor', 'pull', 'tune', 'generate', 'evaluate', 'inspect', 'convert', 'libtorch'])
    expect(README).toContain(`\`${name}`)
  for (const call of [
    'T5.load',
    't5.tune',
    't5.generate',
    't5.stream',
    't5.score',
    't5.classify',
    't5.evaluate',
    't5.gradient',
    't5.dispose',
  ]) {
    expect(README).toContain(`\`${call}`)
  }
})
