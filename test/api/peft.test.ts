import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { inspectFile, SoftPrompt } from '../../src/index.js'
import { Answers, folderOf, relativeDifference } from '../parity/answers.js'
import { failure, load, temporaryFolder, wavyPrompt } from './helpers.js'

const folder = temporaryFolder()
const made = (name: string) => folderOf(`peft/${name}`)

describe('a prompt that PEFT wrote', () => {
  test.each([
    ['twice', { 'peft.baseModel': 'flan-t5', 'peft.unusedRows': '4' }],
    ['once', { 'peft.baseModel': 'flan-t5' }],
  ])('%s as many rows as T5 uses gives PEFT’s loss', async (name, metadata) => {
    const prompt = await SoftPrompt.load(made(name))
    expect(prompt).toMatchObject({ rows: 4, dModel: 24 })
    expect(prompt.metadata).toEqual(metadata)
    expect((await SoftPrompt.load(join(made(name), 'adapter_model.safetensors'))).data).toEqual(prompt.data)
    const t5 = await load(folderOf('flan-t5'))
    const answers = new Answers('flan-t5')
    const examples = answers.inputs.map((input, i) => ({ input, target: answers.targets[i] as number[] }))
    const { loss } = await t5.gradient(examples, { prompt, loss: { reduction: 'mean' } })
    const expected = new Answers('flan-t5', `../peft/${name}/answers`).floats('loss')
    expect(relativeDifference([loss], expected)).toBeLessThan(1e-4)
  })

  test('is told apart by inspect, its unused rows too', async () => {
    const inspection = await inspectFile(made('twice'))
    expect(inspection).toMatchObject({ kind: 'prompt', format: 'peft', unusedRows: 4, parameters: 8 * 24 })
    expect(inspection.tensors).toEqual([{ name: 'prompt_embeddings', dtype: 'F32', shape: [8, 24] }])
    const { data } = await SoftPrompt.load(made('twice'))
    expect(inspection.rowNorms?.max).toBeCloseTo(
      Math.max(...[0, 1, 2, 3].map((row) => Math.hypot(...data.subarray(24 * row, 24 * row + 24)))),
      4,
    )
    expect(await inspectFile(join(made('once'), 'adapter_model.safetensors'))).toMatchObject({ format: 'peft', parameters: 4 * 24 })
  })

  const changed = (config: object): string => {
    const copy = join(folder, Math.random().toString(36).slice(2))
    cpSync(made('twice'), copy, { recursive: true })
    const path = join(copy, 'adapter_config.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...config }))
    return copy
  }

  test.each<[object, string]>([
    [{ peft_type: 'LORA' }, 'peft_type is LORA'],
    [{ task_type: 'CAUSAL_LM' }, 'task_type is CAUSAL_LM'],
    [{ num_virtual_tokens: 3 }, 'num_virtual_tokens'],
    [{ num_virtual_tokens: 16 }, 'num_virtual_tokens'],
    [{ num_virtual_tokens: null }, 'num_virtual_tokens'],
  ])('%j is refused', async (config, message) => {
    expect(await failure(SoftPrompt.load(changed(config)))).toMatchObject({
      code: 'PROMPT_FILE_INVALID',
      message: expect.stringContaining(message),
    })
  })

  test('without one of its files is refused', async () => {
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    expect(await failure(SoftPrompt.load(empty))).toMatchObject({
      code: 'PROMPT_FILE_INVALID',
      message: expect.stringContaining('adapter_config.json'),
    })
    cpSync(join(made('once'), 'adapter_config.json'), join(empty, 'adapter_config.json'))
    expect(await failure(SoftPrompt.load(empty))).toMatchObject({
      code: 'PROMPT_FILE_INVALID',
      message: expect.stringContaining('adapter_model'),
    })
    writeFileSync(join(empty, 'adapter_config.json'), '{')
    expect(await failure(SoftPrompt.load(empty))).toMatchObject({
      code: 'PROMPT_FILE_INVALID',
      message: expect.stringContaining('no JSON'),
    })
  })
})

describe("save(path, { format: 'peft' })", () => {
  test('writes both files, over older ones too, and leaves others alone', async () => {
    const path = join(folder, 'saved')
    await wavyPrompt(2, 6).save(path, { format: 'peft' })
    writeFileSync(join(path, 'notes.txt'), 'mine')
    await wavyPrompt(3, 6, { task: 'x' }).save(path, { format: 'peft' })
    expect(readdirSync(path).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'notes.txt'])
    expect(JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'))).toMatchObject({
      peft_type: 'PROMPT_TUNING',
      task_type: 'SEQ_2_SEQ_LM',
      num_virtual_tokens: 3,
      num_transformer_submodules: 1,
      token_dim: 6,
    })
    expect(await SoftPrompt.load(path)).toMatchObject({ rows: 3, metadata: { task: 'x' } })
  })

  test('refuses a path that cannot be a folder', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    for (const path of [file, join(folder, 'no', 'such', 'folder')]) {
      expect(await failure(wavyPrompt(1, 4).save(path, { format: 'peft' }))).toMatchObject({
        code: 'FILE_WRITE',
        message: expect.stringContaining(path),
      })
    }
  })
})

test('inspect tells a .npy, with rows as long as trained ones are', async () => {
  const path = join(folder, 'google.npy')
  await SoftPrompt.fromArray(Float32Array.from([300, 400, 0, 0, 0, 1200]), { rows: 2, dModel: 3 }).save(path)
  expect(await inspectFile(path)).toMatchObject({ kind: 'prompt', format: 'npy', rowNorms: { mean: 850, min: 500, max: 1200 } })
  const ours = join(folder, 'ours.safetensors')
  await wavyPrompt(2, 3).save(ours)
  expect(await inspectFile(ours)).toMatchObject({ kind: 'prompt', format: 'softprompt' })
})

test('inspect says what memory a model will take', async () => {
  const { memory, parameters } = await inspectFile(join(folderOf('t5-v1.1'), 'model.safetensors'))
  expect(memory).toEqual({ float32: 4 * parameters, bfloat16: 2 * parameters })
})
