import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NANO, temporaryFolder } from '../api/helpers.js'
import { cli } from './helpers.js'

const folder = temporaryFolder()
const nano = ['--model', NANO, '--dtype', 'float32', '--threads', '1']
const csv = 'question,answer\nplay a song,music\nwill it rain,weather\nplay jazz,music\nis it cold,weather\n'

test('tune maps columns, draws its validation set and says what the data is like; evaluate reads standard input', async () => {
  const train = join(folder, 'train.csv')
  const out = join(folder, 'p.safetensors')
  writeFileSync(train, csv)
  const mapping = ['--input', 'intent: {question}', '--target-column', 'answer']
  const small = ['--steps', '2', '--length', '2', '--batch-size', '2', '--validation-split', '0.25']
  const tuned = await cli(['tune', ...nano, '--train', train, '--out', out, ...mapping, ...small])
  expect([tuned.code, tuned.stderr]).toEqual([0, expect.stringMatching(/training +3 examples, inputs of \d+ to \d+ tokens/)])
  expect(tuned.stderr).toMatch(/validation +1 example/)
  expect(tuned.stderr).toContain('warning: The validation set is a single row.')

  const measure = [
    'evaluate',
    ...nano,
    '--prompt',
    out,
    '--data',
    '-',
    '--format',
    'csv',
    ...mapping,
    '--metric',
    'accuracy,rougeL',
    '--json',
  ]
  const measured = await cli(measure, { stdin: csv })
  expect(JSON.parse(measured.stdout)).toMatchObject({ count: 4, metrics: { accuracy: expect.any(Number), rougeL: expect.any(Number) } })
}, 60_000)

test.each([
  [['--input', 'question'], 'names no field'],
  [['--input-column', 'q', '--target-column', 'answer'], 'has no column "q"; its first line names "question", "answer"'],
])('%j is refused', async (flags, message) => {
  const { stderr } = await cli(['evaluate', ...nano, '--data', '-', '--format', 'csv', ...flags], { stdin: csv })
  expect(stderr).toContain(message)
})

// The model is not there either: what can be seen without it is told first.
test.each([
  [['evaluate', '--data', 'no-such.jsonl'], 'There is no data file no-such.jsonl'],
  [['evaluate', '--data', '-', '--metric', 'acuracy'], 'There is no metric "acuracy"'],
  [['tune', '--train', 'no-such.jsonl', '--out', join(folder, 'never.safetensors')], 'There is no data file no-such.jsonl'],
  [
    ['tune', '--train', '-', '--validation', 'no-such.jsonl', '--out', join(folder, 'never.safetensors')],
    'There is no data file no-such.jsonl',
  ],
  [['tune', '--train', '-', '--metric', 'acuracy', '--out', join(folder, 'never.safetensors')], 'There is no metric "acuracy"'],
])('%j is refused before the model is loaded', async ([command, ...flags], message) => {
  const { code, stderr } = await cli([command!, '--model', 'no-such-model', ...flags])
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining(message)])
})
