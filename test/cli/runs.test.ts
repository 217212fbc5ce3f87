import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SoftPrompt } from '../../src/index.js'
import { TINY, TINY_EXAMPLES, temporaryFolder, wavyPrompt } from '../api/helpers.js'
import { cli, jsonLines } from './helpers.js'

const folder = temporaryFolder()
const data = join(folder, 'data.jsonl')
writeFileSync(data, TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))
const tiny = ['--model', TINY, '--threads', '1', '--dtype', 'float32']
const tune = (out: string, ...more: string[]) =>
  cli(['tune', ...tiny, '--train', data, '--out', join(folder, out), '--steps', '4', '--length', '3', '--batch-size', '2', ...more])

test('--seeds: a table of the runs, and the best is saved', async () => {
  const { code, stdout, stderr } = await tune('best.safetensors', '--seeds', '0,1,2', '--validation', data, '--evaluate-every', '2')
  expect(code).toBe(0)
  expect(stderr).toContain('step 4/4, run 2: loss')
  const [head, ...rows] = stdout.split('\n')
  expect(head).toMatch(/^seed +rate +steps +best step +validation/)
  expect(rows.slice(0, 3).map((row) => row.split(/ +/)[0])).toEqual(['0', '1', '2'])
  expect(rows.slice(0, 3).filter((row) => row.endsWith('best'))).toHaveLength(1)
  expect((await SoftPrompt.load(join(folder, 'best.safetensors'))).rows).toBe(3)
})

test('{seed} and {rate} in --out: every run is saved', async () => {
  const { code, stdout } = await tune('all-{seed}-{rate}.npy', '--seeds', '0,1', '--learning-rates', '0.3,1', '--json')
  expect(code).toBe(0)
  const result = jsonLines(stdout).at(-1) as { out: string; runs: { out: string; report: { seed: number } }[] }
  const paths = ['0-0.3', '0-1', '1-0.3', '1-1'].map((name) => join(folder, `all-${name}.npy`))
  expect(result.runs.map(({ out }) => out)).toEqual(paths)
  expect(result.runs.map(({ report }) => report.seed)).toEqual([0, 0, 1, 1])
  expect(paths).toContain(result.out)
  for (const path of paths) expect(existsSync(path)).toBe(true)
})

test.each([
  [['x-{seed}.npy'], 'give --seeds, --learning-rates or --tasks'],
  [['x-{rate}.npy', '--seeds', '0,1'], 'needs --learning-rates'],
  [['x-{seed}.npy', '--seeds', '0,1', '--learning-rates', '0.3,1'], 'Several runs would be saved as'],
  [['x.npy', '--tasks', 'a,b'], 'put {task} into --out'],
  [['x-{task}.npy', '--tasks', 'a,b', '--seeds', '0,1'], "'runs' and 'prompt.tasks'"],
  [['x.npy', '--seeds', '0,one'], 'integer'],
  [['x.npy', '--init', 'uniform:1'], 'uniform:low,high'],
  [['x.npy', '--warmup-steps', '3'], '--warmup-steps belongs to an update rule of your own'],
  [['x.npy', '--optimizer', 'adam'], "did you mean 'adamw'?"],
  [['x.npy', '--optimizer', 'muon', '--schedule', 'step'], "'optimizer.schedule'"],
  [['x.npy', '--label-smoothing', '1'], "'loss.labelSmoothing'"],
  [['x.npy', '--checkpoint-every', '3'], '--checkpoint-every is about checkpoints: give --checkpoint'],
  [['x.npy', '--train', '-', '--validation', '-'], 'both standard input'],
])('%j ends with code 2', async (args, message) => {
  const { code, stderr } = await tune(args[0]!, ...args.slice(1))
  expect(code).toBe(2)
  expect(stderr).toContain(message)
})

test('--time-limit, --micro-batch-size and --init uniform:low,high', async () => {
  const more = ['--steps', '100000', '--time-limit', '0.5', '--micro-batch-size', '1', '--init', 'uniform:0,0.5']
  const { code, stdout } = await tune('limited.safetensors', ...more)
  expect(code).toBe(0)
  expect(stdout).toContain('(the time was up)')
  expect(existsSync(join(folder, 'limited.safetensors'))).toBe(true)
})

test('a metric that never changes is pointed out', async () => {
  const flat = ['--validation', data, '--evaluate-every', '1', '--metric', 'rouge2']
  const { stdout } = await tune('flat.safetensors', ...flat)
  expect(stdout).toMatch(/warning: rouge2 was the same at every evaluation, so the prompt is that of the first, step 1\./)
  expect((await tune('last.safetensors')).stdout).not.toContain('warning')
})

test('an update rule and a loss of one’s own', async () => {
  const rule = ['--optimizer', 'adamw', '--learning-rate', '0.1', '--schedule', 'linear', '--warmup-steps', '1', '--weight-decay', '0.01']
  const more = [
    '--max-gradient-norm',
    '1',
    '--average-decay',
    '0.5',
    '--reduction',
    'mean',
    '--label-smoothing',
    '0.1',
    '--z-loss',
    '0.0001',
  ]
  const { code, stdout } = await tune('rule.safetensors', ...rule, ...more, '--json')
  expect(code).toBe(0)
  const { report } = jsonLines(stdout).at(-1) as { report: { options: object } }
  expect(report.options).toMatchObject({
    optimizer: {
      name: 'adamw',
      learningRate: 0.1,
      schedule: 'linear',
      warmupSteps: 1,
      weightDecay: 0.01,
      maxGradientNorm: 1,
      averageDecay: 0.5,
    },
    loss: { reduction: 'mean', labelSmoothing: 0.1, zLoss: 0.0001 },
  })
})

test('--tasks: a prompt for each', async () => {
  const mixed = join(folder, 'mixed.jsonl')
  writeFileSync(mixed, TINY_EXAMPLES.map((example, i) => JSON.stringify({ ...example, task: i % 2 ? 'odd' : 'even' })).join('\n'))
  const { code, stdout } = await tune('{task}.npy', '--train', mixed, '--tasks', 'even,odd', '--shared', '2')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^task +rate/)
  for (const task of ['even', 'odd']) expect((await SoftPrompt.load(join(folder, `${task}.npy`))).rows).toBe(5)
})

test('several prompts are an ensemble', async () => {
  const paths = [1, 2, 3].map((i) => join(folder, `member-${i}.npy`))
  for (const [i, path] of paths.entries()) await wavyPrompt(2 + i, 48).save(path)
  const prompts = paths.flatMap((path) => ['--prompt', path])
  const { code, stdout } = await cli(['evaluate', ...tiny, ...prompts, '--data', data, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ count: 6, metrics: { accuracy: expect.any(Number) }, agreement: expect.any(Number) })
  const average = await cli(['evaluate', ...tiny, ...prompts, '--combine', 'average', '--data', data, '--predictions'])
  expect(average.stdout).toMatch(/^[^\t]+\t[^\t]+\t[^\t]*\t(0|1)\.\d\d\n/)
  const single = await cli(['evaluate', ...tiny, '--prompt', paths[0]!, '--combine', 'vote', '--data', data])
  expect([single.code, single.stderr]).toEqual([2, expect.stringContaining('--combine is about an ensemble')])
  const wrong = await cli(['evaluate', ...tiny, ...prompts, '--combine', 'sum', '--data', data])
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("'vote', 'average'")])
})

test('--init: from a prompt, and from the mean of several', async () => {
  const paths = [1, 2].map((i) => join(folder, `start-${i}.npy`))
  const a = wavyPrompt(2, 48)
  const b = SoftPrompt.fromArray(
    a.data.map((value) => 3 * value),
    { rows: 2, dModel: 48 },
  )
  for (const [i, prompt] of [a, b].entries()) await prompt.save(paths[i]!)
  const start = (init: string, out: string) =>
    cli([
      'tune',
      ...tiny,
      '--train',
      data,
      '--steps',
      '1',
      '--batch-size',
      '2',
      '--learning-rate',
      '1e-9',
      '--init',
      init,
      '--out',
      join(folder, out),
    ])
  for (const [init, out, factor] of [
    [`prompt:${paths[0]}`, 'from-one.npy', 1],
    [`mean:${paths.join(',')}`, 'from-mean.npy', 2],
  ] as const) {
    expect((await start(init, out)).code).toBe(0)
    const made = await SoftPrompt.load(join(folder, out))
    expect(made.rows).toBe(2)
    made.data.forEach((value, i) => {
      expect(value).toBeCloseTo(factor * a.data[i]!, 5)
    })
  }
  const { code, stderr } = await start(`prompt:${join(folder, 'none.npy')}`, 'x.npy')
  expect([code, stderr]).toEqual([1, expect.stringContaining('none.npy')])
})
