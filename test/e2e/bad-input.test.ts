// What a user gets wrong, through the API and through the command line: a typed error that names the place and says what to do, and nothing lost.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Example, SoftPrompt, SoftPromptError, T5 } from '../../src/index.js'
import { failure, load, NANO, ROOT, snips, TINY, TINY_EXAMPLES, TINY_RUN, temporaryFolder, wavyPrompt } from '../api/helpers.js'

const folder = temporaryFolder()

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** A copy of the tiny model, in which `change` then breaks something. */
function brokenModel(name: string, change: (path: (file: string) => string) => void): string {
  const copy = join(folder, name)
  mkdirSync(copy)
  for (const file of ['config.json', 'model.safetensors']) copyFileSync(join(TINY, file), join(copy, file))
  change((file) => join(copy, file))
  return copy
}

function changedConfig(path: string, changes: object): void {
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }))
}

/** A safetensors file of one float32 tensor called prompt, as a prompt's file is. */
function promptFile(name: string, data: Float32Array, shape: number[]): string {
  const header = JSON.stringify({ prompt: { dtype: 'F32', shape, data_offsets: [0, data.byteLength] } })
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return put(name, Buffer.concat([length, padded, Buffer.from(data.buffer)]))
}

async function expectError(promise: Promise<unknown>, code: string, ...mentions: string[]): Promise<void> {
  const error = await failure(promise)
  expect(SoftPromptError.isInstance(error), String(error.stack)).toBe(true)
  expect(error.code, error.message).toBe(code)
  for (const mention of mentions) expect(error.message).toContain(mention)
}

const onProcessor = { device: 'cpu', dtype: 'float32', threads: 1 } as const

describe('a model that cannot be loaded', () => {
  it('is not there', async () => {
    await expectError(T5.load(join(folder, 'no-model')), 'MODEL_NOT_FOUND', 'no-model')
  })

  it('has no weights', async () => {
    const path = brokenModel('no-weights', (file) => rmSync(file('model.safetensors')))
    await expectError(T5.load(path, onProcessor), 'MODEL_FILE_MISSING', 'no-weights', 'model.safetensors')
  })

  it('has weights that end too early, wherever that is', async () => {
    const whole = readFileSync(join(TINY, 'model.safetensors'))
    for (const length of [0, 4, 8, 100, whole.length >> 1, whole.length - 1]) {
      const path = brokenModel(`cut-${length}`, (file) => writeFileSync(file('model.safetensors'), whole.subarray(0, length)))
      const error = await failure(T5.load(path, onProcessor))
      expect(['SAFETENSORS_TRUNCATED', 'SAFETENSORS_INVALID']).toContain(error.code)
      expect(error.message).toContain(join(path, 'model.safetensors'))
    }
  })

  it.each([
    ['wider than its tensors', { d_model: 64 }, 'MODEL_TENSOR_SHAPE'],
    ['deeper than its tensors', { num_layers: 5 }, 'MODEL_TENSOR_MISSING'],
    ['shallower than its tensors', { num_decoder_layers: 1 }, 'MODEL_TENSOR_UNKNOWN'],
    ['of another vocabulary', { vocab_size: 121 }, 'MODEL_TENSOR_SHAPE'],
  ])('has a config %s', async (name, changes, code) => {
    const path = brokenModel(`config ${name}`, (file) => changedConfig(file('config.json'), changes))
    await expectError(T5.load(path, onProcessor), code, 'config.json')
  })

  it('has a config that is none', async () => {
    for (const [name, text] of Object.entries({ 'not-json': '{', list: '[]', empty: '', negative: '{"model_type":"t5","d_model":-1}' })) {
      const path = brokenModel(`config-${name}`, (file) => writeFileSync(file('config.json'), text))
      await expectError(T5.load(path, onProcessor), 'CONFIG_INVALID', 'config.json')
    }
  })
})

describe('data that cannot be learned from', () => {
  let tiny: T5
  let nano: T5
  beforeAll(async () => {
    tiny = await load(TINY)
    nano = await load(NANO)
  })

  const tune = (model: T5, train: string | Example[]) => model.tune({ ...TINY_RUN, train }).result

  it('is empty', async () => {
    await expectError(tune(tiny, []), 'DATA_EMPTY')
    await expectError(tune(tiny, put('empty.jsonl', '\n')), 'DATA_EMPTY', 'empty.jsonl')
    await expectError(tiny.evaluate({ data: [] }), 'DATA_EMPTY')
  })

  it('is not there, or of an unknown kind', async () => {
    await expectError(tune(tiny, join(folder, 'none.jsonl')), 'DATA_FILE_NOT_FOUND', 'none.jsonl')
    await expectError(tune(tiny, put('rows.xlsx', 'x')), 'DATA_FILE_INVALID', 'rows.xlsx', '.jsonl')
  })

  it('has a row without target', async () => {
    await expectError(
      tune(nano, put('half.jsonl', '{"input":"a","target":"b"}\n{"input":"a"}\n')),
      'DATA_TARGET_EMPTY',
      'half.jsonl, line 2',
    )
    await expectError(tune(nano, put('half.csv', 'input,target\na,b\na,\n')), 'DATA_TARGET_EMPTY', 'half.csv, line 3')
    await expectError(tune(nano, [{ input: 'a', target: '  ' }]), 'DATA_TARGET_EMPTY', 'Row 0')
  })

  it('has other columns', async () => {
    await expectError(tune(nano, put('other.csv', 'text,label\na,b\n')), 'DATA_FILE_INVALID', '"text", "label"')
    await expectError(
      tune(nano, put('other.jsonl', '{"text":"a","label":"b"}')),
      'DATA_ROW_INVALID',
      'other.jsonl, line 1',
      '"text", "label"',
    )
  })

  it('has a label that is not in the set', async () => {
    const [first] = snips('test', 1)
    const data = [first!, { input: 'a', target: 'jazz' }]
    await expectError(nano.evaluate({ data, labels: [first!.target as string, 'music'] }), 'DATA_LABEL_UNKNOWN', 'Row 1', 'jazz', 'music')
  })

  it('has a token id that the model does not have', async () => {
    for (const id of [120, -1, 1.5, Number.NaN]) {
      await expectError(tune(tiny, [...TINY_EXAMPLES, { input: [3, id], target: [4, 1] }]), 'TOKEN_OUT_OF_RANGE', 'Row 6', String(id))
      await expectError(tiny.generate([3, id]), 'TOKEN_OUT_OF_RANGE', String(id))
      await expectError(tiny.score([{ input: [3], target: [id] }]), 'TOKEN_OUT_OF_RANGE', String(id))
    }
  })

  it('is text for a model without tokenizer', async () => {
    await expectError(tune(tiny, [{ input: 'a', target: 'b' }]), 'TOKENIZER_MISSING', 'spiece.model')
    await expectError(tiny.generate('a'), 'TOKENIZER_MISSING', 'spiece.model')
  })

  it('leaves the model as able as before', async () => {
    const before = await tiny.generate([5, 6, 1], { maxNewTokens: 4 })
    await failure(tune(tiny, []))
    await failure(tiny.generate([500]))
    expect(await tiny.generate([5, 6, 1], { maxNewTokens: 4 })).toEqual(before)
    expect((await tiny.tune({ ...TINY_RUN, steps: 1 }).result).report.steps).toBe(1)
  })
})

describe('a prompt that cannot be used', () => {
  let tiny: T5
  beforeAll(async () => {
    tiny = await load(TINY)
  })

  it('holds NaN or infinity', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const data = new Float32Array(96).fill(0.5)
      data[50] = bad
      expect(() => SoftPrompt.fromArray(data, { rows: 2, dModel: 48 })).toThrow(
        expect.objectContaining({ code: 'PROMPT_NOT_FINITE', message: expect.stringContaining('row 1, column 2') }),
      )
      await expectError(SoftPrompt.load(promptFile('bad.safetensors', data, [2, 48])), 'PROMPT_NOT_FINITE', 'bad.safetensors')
    }
    const prompt = wavyPrompt(2, 48)
    prompt.data[7] = Number.NaN
    await expectError(tiny.generate([5, 1], { prompt }), 'PROMPT_NOT_FINITE')
    const path = join(folder, 'late.safetensors')
    await expectError(prompt.save(path), 'PROMPT_NOT_FINITE')
    expect(existsSync(path)).toBe(false)
  })

  it('has another width than the model', async () => {
    const prompt = wavyPrompt(3, 64)
    await expectError(tiny.generate([5, 1], { prompt }), 'PROMPT_WIDTH', '64', '48')
    await expectError(tiny.generate([{ input: [5, 1] }, { input: [6, 1], prompt }]), 'PROMPT_WIDTH', 'Row 1')
    await expectError(tiny.tune({ ...TINY_RUN, prompt }).result, 'PROMPT_WIDTH', '64', '48')
    await expectError(tiny.evaluate({ data: TINY_EXAMPLES, prompt }), 'PROMPT_WIDTH', '64', '48')
  })

  it('was tuned on another model', async () => {
    const { prompt } = await tiny.tune(TINY_RUN).result
    const data = Float32Array.from(prompt.data)
    const foreign = SoftPrompt.fromArray(data, { rows: 4, dModel: 48, metadata: { ...prompt.metadata, fingerprint: 'f'.repeat(64) } })
    await expectError(tiny.generate([5, 1], { prompt: foreign }), 'PROMPT_MODEL', 'ffff')
    expect(await tiny.generate([5, 1], { prompt, maxNewTokens: 2 })).toBeDefined()
  })

  it('is no prompt file', async () => {
    await expectError(SoftPrompt.load(join(folder, 'none.safetensors')), 'PROMPT_FILE_NOT_FOUND', 'none.safetensors')
    await expectError(SoftPrompt.load(put('text.safetensors', 'not a prompt')), 'PROMPT_FILE_INVALID', 'text.safetensors')
    await expectError(SoftPrompt.load(put('empty.npy', '')), 'PROMPT_FILE_INVALID', 'empty.npy')
    await expectError(
      SoftPrompt.load(promptFile('flat.safetensors', new Float32Array(48), [48])),
      'PROMPT_FILE_INVALID',
      'flat.safetensors',
    )
    await expectError(SoftPrompt.load(join(TINY, 'model.safetensors')), 'PROMPT_FILE_INVALID', 'model.safetensors')
    const path = promptFile('cut.safetensors', new Float32Array(96), [2, 48])
    writeFileSync(path, readFileSync(path).subarray(0, -1))
    await expectError(SoftPrompt.load(path), 'PROMPT_FILE_INVALID', 'cut.safetensors')
  })
})

describe('an output that cannot be written', () => {
  it('is told before training starts', async () => {
    const tiny = await load(TINY)
    const path = join(folder, 'no', 'such', 'folder', 'run.ckpt')
    const run = tiny.tune({ ...TINY_RUN, checkpoint: { path } })
    const events = []
    for await (const event of run) events.push(event)
    expect(events).toEqual([])
    await expectError(run.result, 'FILE_NOT_WRITABLE', path)
  })

  it('leaves what was there before', async () => {
    const prompt = wavyPrompt(2, 48)
    const inside = join(folder, 'read-only')
    mkdirSync(inside)
    mkdirSync(join(inside, 'taken.safetensors'))
    await expectError(prompt.save(join(inside, 'taken.safetensors')), 'FILE_WRITE', 'taken.safetensors')
    await expectError(prompt.save(join(folder, 'nowhere', 'p.safetensors')), 'FILE_WRITE', 'nowhere')
    expect(readdirSync(inside)).toEqual(['taken.safetensors'])
  })
})

describe('the command line', () => {
  const softprompt = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'lib', 'cli.js'), ...args], {
      encoding: 'utf8',
      input: '',
      env: { ...process.env, NO_COLOR: '1' },
    })
    return { status, stdout, stderr }
  }
  const good = () => put('good.jsonl', '{"input":[5,6,1],"target":[7,1]}\n{"input":[8,1],"target":[9,1]}\n')
  const tune = (...args: string[]) => softprompt('tune', '--model', TINY, '--steps', '2', '--length', '2', ...args)

  it.each([
    ['no such data file', ['--train', 'none.jsonl'], 1, 'DATA_FILE_NOT_FOUND', 'none.jsonl'],
    ['an unknown preset', ['--train', 'x.jsonl', '--preset', 'slow'], 2, 'OPTION_INVALID', "'fast', 'paper'"],
    ['an unknown metric', ['--train', 'x.jsonl', '--metric', 'acuracy'], 2, 'OPTION_INVALID', 'accuracy'],
    ['a number that is none', ['--train', 'x.jsonl', '--steps', 'many'], 2, '--steps', 'integer'],
    ['an unknown flag', ['--train', 'x.jsonl', '--stesp', '3'], 2, '--stesp', '--steps'],
    ['no training data', [], 2, '--train', 'required'],
  ])('says what is wrong: %s', (_, args, status, ...mentions) => {
    const out = join(folder, `cli-${basename(String(mentions[0]))}.safetensors`)
    const result = tune('--out', out, ...args)
    for (const mention of mentions) expect(result.stderr).toContain(mention)
    expect(result.stderr).not.toContain('    at ')
    expect(result.stdout).toBe('')
    expect(result.status).toBe(status)
    expect(existsSync(out)).toBe(false)
  })

  it('finds an unwritable output before it trains, and before it loads the model', () => {
    const out = join(folder, 'missing', 'p.safetensors')
    const result = softprompt('tune', '--model', join(folder, 'no-model-either'), '--train', good(), '--out', out)
    expect(result).toMatchObject({ status: 1, stdout: '' })
    expect(result.stderr).toContain('FILE_NOT_WRITABLE')
    expect(result.stderr).toContain(out)
  })

  it('keeps the prompt that is there when a new run fails', () => {
    const out = put('kept.safetensors', 'an older prompt')
    expect(tune('--train', put('bad.jsonl', '{"input":[5,500],"target":[7,1]}'), '--out', out)).toMatchObject({ status: 1 })
    expect(readFileSync(out, 'utf8')).toBe('an older prompt')
  })

  it.each([
    ['of another width', () => promptFile('wide.safetensors', new Float32Array(128), [2, 64]), 'PROMPT_WIDTH'],
    ['with NaN', () => promptFile('nan.safetensors', new Float32Array(96).fill(Number.NaN), [2, 48]), 'PROMPT_NOT_FINITE'],
    ['that is not there', () => join(folder, 'none.safetensors'), 'PROMPT_FILE_NOT_FOUND'],
  ])('refuses a prompt %s', (_, make, code) => {
    const result = softprompt('evaluate', '--model', TINY, '--prompt', make(), '--data', good(), '--json')
    expect(result).toMatchObject({ status: 1, stdout: '' })
    expect(result.stderr).toContain(code)
  })

  it('refuses a model that is not there', () => {
    const result = softprompt('generate', '--model', join(folder, 'no-model'), 'text')
    expect(result).toMatchObject({ status: 1, stdout: '' })
    expect(result.stderr).toContain('MODEL_NOT_FOUND')
  })
})
