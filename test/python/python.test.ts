// What other systems make of our files, and we of theirs, where Python is there.
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { convert, SoftPrompt, T5 } from '../../src/index.js'
import { load, temporaryFolder, wavyPrompt } from '../api/helpers.js'
import { Answers, folderOf, relativeDifference } from '../parity/answers.js'
import { pythonWith, run, wants } from './python.js'

const folder = temporaryFolder()

const PEFT = ['peft', 'transformers', 'torch']
const peft = pythonWith(...PEFT)
test.skipIf(!peft)(
  `PEFT loads what save writes, with the same answers ${wants(...PEFT)}`,
  async () => {
    const answers = new Answers('flan-t5')
    const { data, shape } = answers.prompt()
    const prompt = SoftPrompt.fromArray(data, { ...shape, metadata: { task: 'a "quoted" one' } })
    const path = join(folder, 'adapter')
    await prompt.save(path, { format: 'peft' })
    const ids = [answers.inputs, answers.targets].map((rows) => JSON.stringify(rows))
    const found = JSON.parse(await run(peft as string, 'test/python/check_peft.py', folderOf('flan-t5'), path, ...ids))
    expect(found.rows).toBe(shape.rows)
    answers.logProbs('prompted').forEach((expected, row) => {
      expect(relativeDifference(found.logProbs[row], expected)).toBeLessThan(1e-4)
    })
  },
  300_000,
)

const TORCH = ['transformers', 'torch']
const torch = pythonWith(...TORCH)

test.skipIf(!torch)(
  `transformers loads what save writes, with the same answers: models that have learned, and new ones ${wants(...TORCH)}`,
  async () => {
    const inputs = [
      [5, 9, 30, 1],
      [7, 8, 1],
    ]
    const targets = [
      [12, 40, 1],
      [50, 1],
    ]
    const train = inputs.map((input, i) => ({ input, target: targets[i] as number[] }))
    const saved: { path: string; scores: Float32Array[] }[] = []
    const keep = async (model: T5, name: string) => {
      const path = join(folder, name)
      await model.save(path)
      saved.push({ path, scores: (await model.score(train)).map(({ tokenLogProbs }) => tokenLogProbs) })
      await model.dispose()
    }
    for (const family of ['t5-v1.0', 't5-v1.1', 'mt5', 'umt5', 'ul2', 'madlad400']) {
      const t5 = await load(folderOf(family))
      await keep((await t5.finetune({ train, steps: 2, seed: 1 }).result).model, `${family}-learned`)
    }
    for (const tied of [true, false]) {
      const config = { vocab_size: 120, d_model: 32, d_ff: 64, num_layers: 2, num_heads: 2, tie_word_embeddings: tied }
      await keep(await T5.create(config, { device: 'cpu', threads: 1 }), `new-${tied}`)
    }
    const ids = [inputs, targets].map((rows) => JSON.stringify(rows))
    const found = JSON.parse(await run(torch as string, 'test/python/check_saved.py', ...ids, ...saved.map(({ path }) => path)))
    for (const [i, { path, scores }] of saved.entries()) {
      expect([path, found[i].missing, found[i].unexpected]).toEqual([path, [], []])
      for (const [row, own] of scores.entries()) expect(relativeDifference(own, found[i].logProbs[row])).toBeLessThan(1e-4)
    }
  },
  300_000,
)

describe.skipIf(!torch)(`TorchScript and PyTorch ${wants(...TORCH)}`, () => {
  test.each(['t5-v1.0', 'mt5', 'ul2'])(
    'PyTorch runs a converted %s as Hugging Face runs the folder',
    async (family) => {
      const pt = join(folder, `${family}.pt`)
      await convert(folderOf(family), pt)
      const said = await run(torch as string, 'docs/check_torchscript.py', folderOf(family), pt)
      expect(said).toContain('names unknown to Hugging Face: none')
      const differences = [...said.matchAll(/largest difference (\S+) of/g)].map(([, number]) => Number(number))
      expect(differences).toHaveLength(2)
      for (const difference of differences) expect(difference).toBeLessThan(1e-4)
    },
    300_000,
  )

  test.each(['t5-v1.0', 'umt5', 'ul2'])(
    'docs/export_torchscript.py writes a %s that loads with trust',
    async (family) => {
      const pt = join(folder, `${family}-exported.pt`)
      await run(torch as string, 'docs/export_torchscript.py', folderOf(family), pt)
      await expect(T5.load(pt)).rejects.toMatchObject({ code: 'MODEL_UNTRUSTED' })
      const t5 = await load(pt, { trust: true })
      const answers = new Answers(family)
      const { data, shape } = answers.prompt()
      const prompt = SoftPrompt.fromArray(data, shape)
      const examples = answers.inputs.map((input, i) => ({ input, target: answers.targets[i] as number[] }))
      const { loss, gradient } = await t5.gradient(examples, { prompt, loss: { reduction: 'mean' } })
      expect(relativeDifference([loss], answers.floats('prompted.loss'))).toBeLessThan(1e-4)
      const expected = answers.floats('prompted.prompt_gradient')
      const largest = Math.max(...expected.map(Math.abs))
      expect(
        relativeDifference(
          gradient.map((x) => x / largest),
          expected.map((x) => x / largest),
        ),
      ).toBeLessThan(1e-4)
      const found = await t5.generate(answers.inputs, { prompt, maxNewTokens: 10 })
      expect(found.map(({ tokens }) => Array.from(tokens))).toEqual(answers.generated('prompted'))
    },
    300_000,
  )
})

test('a prompt of our own survives the trip through PEFT\u2019s form', async () => {
  const path = join(folder, 'round')
  const prompt = wavyPrompt(3, 8, { task: 'waves', fingerprint: 'f' })
  await prompt.save(path, { format: 'peft' })
  const loaded = await SoftPrompt.load(path)
  expect(loaded).toMatchObject({ rows: 3, dModel: 8, metadata: { task: 'waves', fingerprint: 'f' } })
  expect(loaded.data).toEqual(prompt.data)
})
