import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT, temporaryFolder } from '../api/helpers.js'

const folder = temporaryFolder()
const page = join(folder, 'performance.md')
const json = join(folder, 'bench.json')

const bench = (name: string) => import(join(ROOT, 'bench', name))

function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const small = [
    '--models',
    'nano-t5',
    '--threads',
    '1',
    '--rounds',
    '1',
    '--batch-size',
    '2',
    '--length',
    '2',
    '--tokens',
    '3',
    '--dtypes',
    'float32',
    '--work',
    folder,
  ]
  const env = { ...process.env, SOFTPROMPT_PEER_PYTHON: '' }
  return promisify(execFile)(process.execPath, [join(ROOT, 'bench', 'index.mjs'), ...small, ...args], { cwd: ROOT, env })
}

const SMALL = {
  dModel: 512,
  dFf: 1024,
  numHeads: 6,
  dKv: 64,
  numLayers: 8,
  numDecoderLayers: 8,
  vocabSize: 32128,
  feedForwardProj: 'gated-gelu',
}

test('floating-point operations are those of a count by hand', async () => {
  const { trainingFlops, decodingFlops, classifyingFlops, stepBytes } = await bench('flops.mjs')
  // Weights a token meets: an encoder block 4 x 512 x 384 + 3 x 512 x 1024, a decoder block the same and 4 x 512 x 384 more, of which half is for the encoder's tokens.
  const [attention, feedForward, head] = [512 * 384, 3 * 512 * 1024, 512 * 32128]
  const encoder = 8 * (4 * attention + feedForward) + 8 * 2 * attention
  const decoder = 8 * (6 * attention + feedForward) + head
  const linear = 2 * 32 * (228 * encoder + 8 * decoder)
  const scores = 4 * 384 * 8 * 32 * (228 * 228 + 228 * 8 + 8 * 8)
  const rows = Array.from({ length: 32 }, () => ({ input: 228, output: 8 }))
  expect(trainingFlops(SMALL, rows)).toBe(2 * linear + 3 * scores)
  expect(stepBytes(SMALL, 'bfloat16')).toBe(2 * decoder)
  // Four beams: one pass of the encoder, four of the decoder.
  const [one, four] = [1, 4].map((lanes) => decodingFlops(SMALL, rows.slice(0, 1), lanes))
  expect(one).toBe(2 * (228 * encoder + 8 * decoder) + 4 * 384 * 8 * (228 * 228 + 228 * 8 + 32))
  expect(four - one).toBe(3 * (2 * 8 * decoder + 4 * 384 * 8 * (228 * 8 + 32)))
  expect(classifyingFlops(SMALL, [228], [8])).toBe(2 * (228 * encoder + 8 * decoder) + 4 * 384 * 8 * (228 * 228 + 228 * 8 + 64))
})

test('the line of least squares has the slope of points on it, and an error where they are not', async () => {
  const { leastSquares } = await bench('statistics.mjs')
  expect(leastSquares([0, 1, 2, 5].map((x) => [x, 3 * x - 1]))).toEqual({ slope: 3, error: 0 })
  const { slope, error } = leastSquares([[0, 0], [1, 2], [2, 1]]) // biome-ignore format: points
  expect(slope).toBeCloseTo(0.5)
  expect(error).toBeCloseTo(Math.sqrt(1.5 / 2)) // residuals -0.5, 1, -0.5; one degree of freedom
})

test('a contender that fails says why, and the others go on', async () => {
  const { compare } = await bench('compare.mjs')
  const contender = (name: string, answer: () => unknown) => ({
    name,
    dtype: 'float32',
    start: () => ({ ask: async () => answer(), close: () => {} }),
  })
  const broken = contender('broken', () => {
    throw new Error('no such operator')
  })
  const whole = contender('whole', () => ({ seconds: 2, before: 0, peak: 1 }))
  const entries = await compare([broken, whole], { rounds: 3, request: () => ({ work: 'train', body: {}, items: 8, flops: 1e9 }) })
  expect(entries[0]).toMatchObject({ failed: 'no such operator', seconds: [] })
  expect(entries[1]).toMatchObject({ seconds: [2, 2, 2], rates: [4, 4, 4], flops: [5e8, 5e8, 5e8] })
})

test('cases are measured, kept as JSON and shown in a page, which can be made from the JSON again', async () => {
  writeFileSync(page, '# Performance\n\nkept\n')
  const { stdout } = await run('train-short', 'decode-mixed', 'load', '--json', json, '--page', page)
  expect(stdout).toContain('train-short (steps of prompt tuning: snips, batch 32, prompt 100); nano-t5, 1 thread')
  const { runs } = JSON.parse(readFileSync(json, 'utf8'))
  const [training, mixed, loading] = runs[0].results
  expect(training.contenders.map(({ name }: { name: string }) => name)).toEqual(['softprompt float32'])
  expect(training).toMatchObject({ case: 'train-short', model: 'nano-t5', threads: 1, unit: 'examples/s' })
  for (const { seconds, rates, rate, peakBytes } of training.contenders) {
    expect(rates).toEqual([10 / seconds[0]]) // five steps of two
    expect(rate[1]).toBe(rates[0])
    expect(peakBytes).toBeGreaterThan(1e6)
  }
  expect(mixed.contenders.at(-1).name).toBe('softprompt float32, one prompt for all')
  expect(loading.contenders[0].seconds).toHaveLength(1)

  const whole = readFileSync(page, 'utf8')
  expect(whole).toMatch(/^# Performance\n\nkept\n\n<!-- bench begin -->\n\n.*softprompt \d/)
  expect(whole).toMatch(/\| train-short \| nano-t5 \| 1 \| softprompt float32 \| [\d.]+ examples\/s \|/)
  for (const table of whole.split('\n\n').filter((part) => part.startsWith('|'))) {
    const columns = table.split('\n').map((line) => line.split(' | ').length)
    expect(new Set(columns).size, table).toBe(1)
  }
  writeFileSync(page, '# Performance\n\n<!-- bench begin -->\nold\n<!-- bench end -->\n\nbehind\n')
  await run('--from', json, '--page', page)
  expect(readFileSync(page, 'utf8')).toBe(`# Performance\n\n${whole.slice(whole.indexOf('<!-- bench begin -->')).trimEnd()}\n\nbehind\n`)
})

test('what the command line gets wrong is named', async () => {
  const wrong = (...args: string[]) => run(...args).catch(({ code, stderr }) => ({ code, stderr }))
  expect(await wrong('train-shrot')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("there is no 'train-shrot'. Choose from all, train-short"),
  })
  expect(await wrong('train-short', '--rounds', '0')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--rounds must be a whole number above 0'),
  })
  expect(await wrong('train-short', '--peers', 'jax')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--peers: there is no 'jax'"),
  })
  const { stdout } = await run('train-long')
  expect(stdout).toContain('left out: it needs xquad: name the folder that holds it with --data')
  expect(existsSync(join(folder, 'models'))).toBe(false)
})
