import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SoftPrompt } from '../../src/index.js'
import { NANO, snips, TINY, TINY_EXAMPLES, temporaryFolder, wavyPrompt } from '../api/helpers.js'
import { cli, finished, jsonLines, start } from './helpers.js'

const folder = temporaryFolder()
const data = join(folder, 'data.jsonl')
writeFileSync(data, TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))
const tiny = ['--model', TINY, '--threads', '1', '--dtype', 'float32']
const nano = ['--model', NANO, '--dtype', 'float32']

describe('usage', () => {
  test('--help says what there is, with examples', async () => {
    const { code, stdout } = await cli(['--help'])
    expect(code).toBe(0)
    for (const word of [
      'demo',
      'doctor',
      'pull',
      'tune',
      'generate',
      'evaluate',
      'convert',
      'inspect',
      'libtorch',
      'Examples:',
      'Exit codes:',
    ]) {
      expect(stdout).toContain(word)
    }
    const { stdout: ofTune } = await cli(['tune', '--help'])
    for (const flag of ['--train', '--validation', '--out', '--steps', '--init', '--checkpoint', '--resume', '--report', '--json']) {
      expect(ofTune).toContain(flag)
    }
  })

  test('--version', async () => {
    const { code, stdout } = await cli(['--version'])
    expect([code, stdout.trim()]).toEqual([0, JSON.parse(readFileSync(join(NANO, '..', '..', 'package.json'), 'utf8')).version])
  })

  test.each([
    [['no-such-command'], 'unknown command'],
    [['tune', '--model', TINY], '--train'],
    [['tune', ...tiny, '--train', data, '--out', join(folder, 'x'), '--stesp', '3'], '--steps'],
    [['tune', ...tiny, '--train', data, '--out', join(folder, 'x'), '--steps', 'many'], 'integer'],
    [['tune', ...tiny, '--train', data, '--out', join(folder, 'x'), '--steps', '0'], "Option 'steps' is 0"],
    [['tune', ...tiny, '--train', data, '--out', join(folder, 'x'), '--init', 'zeros'], 'labels:a,b'],
    [['generate', ...nano, '--num-beams', '4', '--do-sample', 'text'], 'OPTION_UNSUPPORTED'],
    [['generate', ...nano, '--num-return-sequences', '4', 'text'], 'at most numBeams'],
    [['generate', ...nano, '--early-stopping', 'soon', 'text'], 'true, false or never'],
  ])('%j ends with code 2', async (args, message) => {
    const { code, stdout, stderr } = await cli(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
  })

  test('errors have a code and no stack, unless asked', async () => {
    const { code, stdout, stderr } = await cli(['generate', '--model', join(folder, 'none'), 'text'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^error MODEL_NOT_FOUND: /)
    expect(stderr).not.toContain('    at ')
    expect((await cli(['--verbose', 'generate', '--model', join(folder, 'none'), 'text'])).stderr).toContain('    at ')
  })
})

describe('tune', () => {
  const tune = (out: string, ...more: string[]) => {
    const small = ['--steps', '4', '--length', '3', '--batch-size', '2']
    return ['tune', ...tiny, '--train', data, '--out', out, ...small, ...more]
  }

  test('saves a prompt and says how to use it; nothing but the result is on stdout', async () => {
    const out = join(folder, 'plain.safetensors')
    const { code, stdout, stderr } = await cli(tune(out, '--validation', data, '--evaluate-every', '2'))
    expect(stderr).toContain('step 4/4')
    expect(code).toBe(0)
    expect(stdout).toContain(`--prompt ${out}`)
    expect(stdout).toContain('3 x 48 = 144')
    expect(await SoftPrompt.load(out)).toMatchObject({ rows: 3, dModel: 48 })
  })

  test('--json: one event a line, then the result; the same seed, the same bytes', async () => {
    const [a, b] = [join(folder, 'a.safetensors'), join(folder, 'b.safetensors')]
    const { code, stdout } = await cli(tune(a, '--json', '--seed', '3'))
    expect(code).toBe(0)
    const lines = jsonLines(stdout)
    expect(lines.map(({ type }) => type)).toEqual(['start', 'step', 'step', 'step', 'step', 'end', 'result'])
    expect(lines.at(-1)).toMatchObject({ out: a, report: { steps: 4, seed: 3 } })
    await cli(tune(b, '--json', '--seed', '3'))
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true)
  })

  test('--report writes a page that needs nothing else', async () => {
    const report = join(folder, 'report.html')
    expect(await cli(tune(join(folder, 'r.npy'), '--validation', data, '--report', report))).toMatchObject({ code: 0 })
    const page = readFileSync(report, 'utf8')
    expect(page).toContain('<path class="curve')
    expect(page).toContain('nearest tokens')
    expect(page).toContain('Validation accuracy')
    expect(page).not.toMatch(/src=|href=|https?:/)
  })

  test('--report writes the numbers alone to a .json, and no other kind of file', async () => {
    const [out, report] = [join(folder, 'r.safetensors'), join(folder, 'report.json')]
    expect(await cli(tune(out, '--validation', data, '--report', report))).toMatchObject({ code: 0 })
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({
      report: { steps: 4, outcome: { examples: 6 } },
      explanation: { from: 'start' },
    })
    expect(await cli(tune(join(folder, 'never.npy'), '--report', 'report.pdf'))).toMatchObject({ code: 2 })
  })

  test('--checkpoint and --resume end where an uninterrupted run does', async () => {
    const checkpoint = join(folder, 'run.ckpt')
    const [whole, resumed] = [join(folder, 'whole.safetensors'), join(folder, 'resumed.safetensors')]
    await cli(tune(whole, '--checkpoint', checkpoint, '--checkpoint-every', '2'))
    const { code, stdout } = await cli(tune(resumed, '--checkpoint', checkpoint, '--resume', '--json'))
    expect(code).toBe(0)
    expect(jsonLines(stdout)[0]).toMatchObject({ type: 'start', resumedFrom: 4 })
    expect((await SoftPrompt.load(resumed)).data).toEqual((await SoftPrompt.load(whole)).data)
  })

  test.each(['--out', '--report', '--checkpoint'])('%s that cannot be written is found before anything is read', async (flag) => {
    const bad = join(folder, 'no-such-folder', 'file')
    const paths: Record<string, string> = { '--out': join(folder, 'never.safetensors'), [flag]: bad }
    const { code, stderr, stdout } = await cli(['tune', ...tiny, '--train', 'not-even-read.jsonl', ...Object.entries(paths).flat()])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('error FILE_NOT_WRITABLE')
    expect(stderr).toContain(bad)
    expect(existsSync(join(folder, 'never.safetensors'))).toBe(false)
  })

  test('Ctrl-C keeps the prompt and ends with code 130', async () => {
    const out = join(folder, 'interrupted.safetensors')
    const report = join(folder, 'interrupted.json')
    const flags = ['--steps', '10000000', '--length', '3', '--report', report, '--json']
    const child = start(['tune', ...tiny, '--train', data, '--out', out, ...flags])
    const end = finished(child)
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (text: string) => text.includes('"step":3,') && resolve())
    })
    child.kill('SIGINT')
    const { code, stderr } = await end
    expect(code).toBe(130)
    expect(stderr).toContain(out)
    expect(stderr).toContain('Interrupted.')
    const { bestStep } = JSON.parse((await SoftPrompt.load(out)).metadata.training!)
    expect(bestStep).toBeGreaterThanOrEqual(3)
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({ report: { bestStep }, explanation: { from: 'start' } })
  })
})

describe('generate', () => {
  test('a line for each TEXT', async () => {
    const { code, stdout } = await cli(['generate', ...nano, '--max-new-tokens', '4', 'play some jazz', 'will it rain'])
    expect(code).toBe(0)
    expect(stdout.match(/\n/g)).toHaveLength(2)
  })

  test('lines of stdin, in order, as JSON', async () => {
    const prompt = join(folder, 'wavy.safetensors')
    await wavyPrompt(2, JSON.parse(readFileSync(join(NANO, 'config.json'), 'utf8')).d_model).save(prompt)
    const inputs = Array.from({ length: 70 }, (_, i) => `number ${i}`)
    const args = ['generate', ...nano, '--prompt', prompt, '--max-new-tokens', '2', '--json']
    const { code, stdout } = await cli(args, { stdin: inputs.join('\n') })
    expect(code).toBe(0)
    const lines = jsonLines(stdout)
    expect(lines.map(({ input }) => input)).toEqual(inputs)
    expect(lines[0]).toEqual({
      input: 'number 0',
      text: expect.any(String),
      tokens: expect.any(Array),
      logProb: expect.any(Number),
      finishReason: expect.stringMatching(/eos|length/),
      usage: expect.any(Object),
    })
  })
})

describe('ways to decode', () => {
  const run = async (...flags: string[]) => {
    const { code, stdout, stderr } = await cli(['generate', ...nano, '--max-new-tokens', '6', ...flags, 'play some jazz', 'will it rain'])
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }

  test('several outputs for each input, with it in the JSON', async () => {
    const lines = jsonLines(await run('--num-beams', '3', '--num-return-sequences', '2', '--length-penalty', '0.5', '--json'))
    expect(lines.map(({ input }) => input)).toEqual(['play some jazz', 'play some jazz', 'will it rain', 'will it rain'])
    expect(lines[0]!.tokens).not.toEqual(lines[1]!.tokens)
  })

  test('samples that a seed fixes, whether TEXT or stdin', async () => {
    const flags = ['--do-sample', '--temperature', '1.5', '--top-k', '50', '--top-p', '0.9', '--seed', '3']
    const once = await run(...flags)
    expect(await run(...flags)).toBe(once)
    const { stdout } = await cli(['generate', ...nano, '--max-new-tokens', '6', ...flags], { stdin: 'play some jazz\nwill it rain' })
    expect(stdout).toBe(once)
  })

  test('labels, penalties and bad words', async () => {
    const labels = (await run('--labels', 'music,weather')).trim().split('\n')
    for (const label of labels) expect(['music', 'weather']).toContain(label)
    await run('--repetition-penalty', '1.3', '--no-repeat-ngram-size', '2', '--bad-words', 'jazz,rain', '--min-new-tokens', '3')
  })

  test('--stream shows the same, and --stop ends it too', async () => {
    const whole = await run('--min-new-tokens', '6')
    expect(await run('--min-new-tokens', '6', '--stream')).toBe(whole)
    const stop = ['--min-new-tokens', '6', '--stop', whole.slice(3, 5)]
    expect(await run(...stop, '--stream')).toBe(await run(...stop))
  })

  test('--help says what each is for', async () => {
    const { stdout } = await cli(['generate', '--help'])
    for (const flag of ['--num-beams', '--do-sample', '--top-p', '--labels', '--num-return-sequences', '--stream', '--stop']) {
      expect(stdout).toContain(flag)
    }
  })
})

test('evaluate --json', async () => {
  const file = join(folder, 'test.jsonl')
  const rows = snips('test', 10).map((row) => JSON.stringify(row))
  writeFileSync(file, rows.join('\n'))
  const labels = 'music,weather,playlist,rating,restaurant,screening,work'
  const { code, stdout } = await cli(['evaluate', ...nano, '--data', file, '--labels', labels, '--json'])
  expect(code).toBe(0)
  expect(jsonLines(stdout)).toEqual([{ metrics: { accuracy: expect.any(Number) }, count: 10 }])
  const { stdout: text } = await cli(['evaluate', ...nano, '--data', file, '--metric', 'accuracy,exactMatch'])
  expect(text).toMatch(/accuracy .*\nexactMatch .*\non 10 examples/)
  const { stdout: detailed } = await cli(['evaluate', ...nano, '--data', file, '--labels', labels, '--json', '--predictions'])
  expect(jsonLines(detailed)).toMatchObject([{ count: 10, invalid: 0, predictions: { length: 10 } }])
})

test('inspect a prompt and a model', async () => {
  const prompt = join(folder, 'inspected.safetensors')
  await wavyPrompt(2, 4, { task: 'waves' }).save(prompt)
  const { code, stdout } = await cli(['inspect', prompt])
  expect(code).toBe(0)
  for (const part of ['prompt (of this package), 8 numbers', '2 x 4', 'row norms: mean', 'task: waves']) expect(stdout).toContain(part)
  const [model] = jsonLines((await cli(['inspect', join(TINY, 'model.safetensors'), '--json'])).stdout)
  expect(model).toMatchObject({ kind: 'safetensors', parameters: expect.any(Number) })
  expect((await cli(['inspect', join(folder, 'none')])).code).toBe(1)
})

test('convert writes a .pt that serves as the model does', async () => {
  const pt = join(folder, 'nano.pt')
  expect(await cli(['convert', NANO, pt])).toMatchObject({ code: 0 })
  const generate = (model: string) => cli(['generate', '--model', model, '--dtype', 'float32', '--max-new-tokens', '8', 'play some jazz'])
  const [fromFolder, fromPt] = [await generate(NANO), await generate(pt)]
  expect(fromPt).toMatchObject({ code: 0, stdout: fromFolder.stdout })
  expect(await cli(['convert', NANO, join(folder, 'no-such-folder', 'x.pt')])).toMatchObject({ code: 1 })
})

test('convert turns a prompt into every format, and back to the same numbers', async () => {
  const path = (name: string) => join(folder, name)
  const original = wavyPrompt(2, 4)
  await original.save(path('a.safetensors'))
  for (const [from, to] of [
    ['a.safetensors', 'b.npy'],
    ['b.npy', 'c-peft'],
    ['c-peft', 'd.safetensors'],
  ] as const) {
    expect(await cli(['convert', path(from), path(to)])).toMatchObject({ code: 0, stdout: `wrote ${path(to)}\n` })
    expect(Array.from((await SoftPrompt.load(path(to))).data)).toEqual(Array.from(original.data))
  }
  expect(existsSync(join(path('c-peft'), 'adapter_config.json'))).toBe(true)
  expect(await cli(['convert', path('a.safetensors'), path('e'), '--format', 'onnx'])).toMatchObject({ code: 2 })
  expect(await cli(['convert', join(TINY, 'config.json'), path('f.npy')])).toMatchObject({ code: 1 })
})

describe('doctor', () => {
  test('says that this machine is ready, model included', async () => {
    const { code, stdout } = await cli(['doctor', '--model', TINY])
    expect(stdout).toContain('ready')
    expect(stdout).toContain('without tokenizer')
    expect(stdout).toMatch(/will take .* as float32, .* as bfloat16/)
    expect(code).toBe(0)
    const [diagnosis] = jsonLines((await cli(['doctor', '--json'])).stdout)
    expect(diagnosis).toMatchObject({ usable: true, native: { napi: expect.any(Number) }, problems: [] })
  })

  test('says what to do where it is not', async () => {
    const { code, stdout } = await cli(['doctor'], { env: { SOFTPROMPT_LIBTORCH: join(folder, 'nothing') } })
    expect(code).toBe(1)
    expect(stdout).toContain('LIBTORCH_NOT_FOUND')
    expect(stdout).toContain('SOFTPROMPT_LIBTORCH')
    expect((await cli(['doctor', '--model', join(folder, 'none')])).code).toBe(1)
  })
})

test('demo', async () => {
  const out = join(folder, 'demo.safetensors')
  const { code, stdout } = await cli(['demo', '--steps', '2', '--length', '2', '--out', out, '--json'])
  expect(code).toBe(0)
  const [result] = jsonLines(stdout)
  expect(result).toMatchObject({ before: expect.any(Number), after: expect.any(Number), count: 700, out })
  expect((await SoftPrompt.load(out)).metadata.task).toBe('snips')
}, 240_000)
