import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failure, load, NANO, ROOT, TINY, TINY_EXAMPLES, temporaryFolder } from '../api/helpers.js'
import { SENTENCES, SMALL_CONFIG } from '../train/helpers.js'
import { cli, finished, jsonLines, start } from './helpers.js'

const folder = temporaryFolder()
const at = (name: string) => join(folder, name)
const write = (name: string, content: string) => {
  writeFileSync(at(name), content)
  return at(name)
}
const data = write('data.jsonl', TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))
const text = write('text.txt', SENTENCES.join('\n'))
const config = write('config.json', JSON.stringify({ ...SMALL_CONFIG, vocab_size: 384 }))
const BYTES = join(ROOT, 'test', 'fixtures', 'byt5')
const MACHINE = ['--threads', '1', '--device', 'cpu', '--dtype', 'float32']

const finetune = (out: string, ...more: string[]) =>
  cli(['finetune', '--model', TINY, '--train', data, '--out', at(out), '--steps', '4', '--batch-size', '2', ...MACHINE, ...more])
const adapt = (out: string, ...more: string[]) =>
  cli([
    'adapt',
    '--config',
    config,
    '--tokenizer',
    BYTES,
    '--text',
    text,
    '--out',
    at(out),
    '--steps',
    '4',
    '--batch-size',
    '2',
    '--window-length',
    '16',
    ...MACHINE,
    ...more,
  ])

test('the commands are listed, and explain every flag', async () => {
  const { stdout } = await cli(['--help'])
  for (const name of ['adapt', 'finetune']) {
    expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    const { stdout: help } = await cli([name, '--help'])
    expect(help).toContain('Examples:')
    expect(help).toContain('--checkpoint-every <N>')
  }
})

describe('finetune', () => {
  test('trains, tells, saves a model that loads, and a report', async () => {
    const report = at('finetune.html')
    const { code, stdout, stderr } = await finetune('tuned', '--validation', data, '--evaluate-every', '2', '--report', report)
    expect(code).toBe(0)
    expect(stdout).toMatch(/done in .*4 steps.*validation accuracy/)
    expect(stdout).toMatch(/saved .*tuned: [\d,]+ parameters/)
    expect(stderr).toMatch(/training {3}6 examples[\s\S]*training [\d,]+ parameters, 4 steps[\s\S]*step 2: validation accuracy/)
    expect((await load(at('tuned'))).config.dModel).toBe(48)
    const page = readFileSync(report, 'utf8')
    expect(page).toContain('<h1>Fine-tuned: t5-v1.1</h1>')
    expect(page).toContain('parameters learned')
    expect(page).not.toMatch(/NaN|undefined|\[object/)
  })

  test('with --json stdout is events and the result', async () => {
    const { code, stdout, stderr } = await finetune('json', '--json', '--optimizer', 'adamw', '--learning-rate', '0.002')
    expect([code, stderr]).toEqual([0, ''])
    const events = jsonLines(stdout)
    expect(events.map(({ type }) => type)).toEqual(['start', 'step', 'step', 'step', 'step', 'end', 'result'])
    expect(events.at(-1)).toMatchObject({
      out: at('json'),
      report: { steps: 4, options: { optimizer: { name: 'adamw', learningRate: 0.002 } } },
    })
  })
})

describe('adapt', () => {
  test('trains a new model, saves it with its tokenizer, and a report', async () => {
    const report = at('adapt.html')
    const { code, stdout, stderr } = await adapt(
      'fresh',
      '--held-out',
      '0.1',
      '--report',
      report,
      '--objective',
      'prefix-lm:0.5,span-corruption:0.5',
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/validation loss \d+\.\d+, perplexity \d/)
    expect(stderr).toMatch(/training {3}240 documents of [\d,]+ tokens, [\d,]+ windows of 16/)
    expect((await load(at('fresh'))).tokenizer!.decode([100, 101])).toBe('ab')
    const page = readFileSync(report, 'utf8')
    expect(page).toContain('<h1>Adapted to text:')
    expect(page).toMatch(/windows of 16 tokens/)
    expect(page).not.toMatch(/NaN|undefined|\[object/)
    await adapt('fresh-json', '--report', at('adapt.json'))
    expect(JSON.parse(readFileSync(at('adapt.json'), 'utf8')).report.data.windowTokens).toBe(16)
  })

  test('reads standard input, and a folder', async () => {
    const flags = [
      'adapt',
      '--config',
      config,
      '--tokenizer',
      BYTES,
      '--steps',
      '2',
      '--batch-size',
      '2',
      '--window-length',
      '16',
      ...MACHINE,
    ]
    const piped = await cli([...flags, '--text', '-', '--out', at('piped'), '--json'], { stdin: SENTENCES.join('\n') })
    expect([piped.code, piped.stderr]).toEqual([0, ''])
    mkdirSync(at('corpus'))
    write(join('corpus', 'a.txt'), SENTENCES.slice(0, 100).join('\n\n'))
    write(join('corpus', 'b.jsonl'), SENTENCES.map((sentence) => JSON.stringify({ text: sentence })).join('\n'))
    const { code } = await cli([...flags, '--text', at('corpus'), '--documents', 'paragraph', '--out', at('from-folder')])
    expect(code).toBe(0)
  })

  test('Ctrl-C saves what was learned', async () => {
    const out = at('interrupted')
    const child = start([
      'adapt',
      '--config',
      config,
      '--tokenizer',
      BYTES,
      '--text',
      text,
      '--out',
      out,
      '--steps',
      '1000000',
      '--window-length',
      '16',
      ...MACHINE,
    ])
    const done = finished(child)
    child.stderr.on('data', (chunk: string) => {
      if (chunk.includes('step 1/')) child.kill('SIGINT')
    })
    const { code, stderr } = await done
    expect(code).toBe(130)
    expect(stderr).toMatch(/Saved the weights of step \d+ to/)
    expect((await load(out)).config.dModel).toBe(32)
  })
})

test.each([
  ['no model', ['adapt', '--text', text, '--out', at('x')], 2, /either --model.*or --config/],
  ['two models', ['adapt', '--model', TINY, '--config', config, '--text', text, '--out', at('x')], 2, /either --model.*or --config/],
  ['no tokenizer', ['adapt', '--config', config, '--text', text, '--out', at('x')], 2, /needs --tokenizer/],
  ['a tokenizer too many', ['adapt', '--model', NANO, '--tokenizer', NANO, '--text', text, '--out', at('x')], 2, /has its own/],
  ['no such text', ['adapt', '--model', 'no/such', '--text', 'nope.txt', '--out', at('x')], 1, /DATA_FILE_NOT_FOUND.*nope\.txt/],
  [
    'an objective of no name',
    ['adapt', '--model', 'no/such', '--text', text, '--out', at('x'), '--objective', 'mlm'],
    2,
    /'objective' is "mlm"/,
  ],
  ['a share that is none', ['adapt', '--model', 'no/such', '--text', text, '--out', at('x'), '--objective', 'prefix-lm:half'], 2, /number/],
  ['a folder with other files', ['finetune', '--model', 'no/such', '--train', data, '--out', ROOT], 1, /FILE_NOT_WRITABLE/],
  [
    'a report of no form',
    ['finetune', '--model', 'no/such', '--train', data, '--out', at('x'), '--report', at('r.pdf')],
    2,
    /\.html or \.json/,
  ],
  ['no such data', ['finetune', '--model', 'no/such', '--train', 'nope.jsonl', '--out', at('x')], 1, /nope\.jsonl/],
  [
    'a dtype that is none',
    ['finetune', '--model', 'no/such', '--train', data, '--out', at('x'), '--save-dtype', 'half'],
    2,
    /--save-dtype/,
  ],
  [
    'a rule that is none',
    ['finetune', '--model', 'no/such', '--train', data, '--out', at('x'), '--optimizer', 'sgd'],
    2,
    /'optimizer.name' is "sgd"/,
  ],
  [
    'resume without a checkpoint',
    ['finetune', '--model', 'no/such', '--train', data, '--out', at('x'), '--resume'],
    2,
    /needs 'checkpoint'/,
  ],
])('%s is told before a model is loaded', async (_, args, code, message) => {
  const outcome = await cli(args)
  expect(outcome.code).toBe(code)
  expect(outcome.stderr).toMatch(message)
  expect(existsSync(at('x'))).toBe(false)
})

test('nothing is left beside the folders that were saved', async () => {
  expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  expect(await failure(load(at('x')))).toMatchObject({ code: 'MODEL_NOT_FOUND' })
})
