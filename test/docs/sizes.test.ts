import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { publishedModels, sizesTable, tableIn, tensorsOf } from '../../scripts/sizes/index.mjs'
import { inspectFile } from '../../src/index.js'
import { ROOT } from '../api/helpers.js'

const FIXTURES = join(ROOT, 'test', 'fixtures')
const isModel = (name: string) => readdirSync(join(FIXTURES, name)).includes('model.safetensors')

test("README's table is what `npm run sizes` prints", async () => {
  expect(tableIn(readFileSync(join(ROOT, 'README.md'), 'utf8'))).toBe(await sizesTable())
})

describe('the tensors that a config asks for are those of a checkpoint', () => {
  const families = readdirSync(FIXTURES, { withFileTypes: true }).filter((entry) => entry.isDirectory() && isModel(entry.name))

  test.each(families.map(({ name }) => name))('%s', async (name) => {
    const config = JSON.parse(readFileSync(join(FIXTURES, name, 'config.json'), 'utf8'))
    const { tensors } = await inspectFile(join(FIXTURES, name))
    const found = tensors.filter((tensor) => tensor.name.endsWith('.weight')).map((tensor) => [tensor.name, tensor.shape])
    const sorted = (all: unknown[]) => all.map((entry) => JSON.stringify(entry)).sort()
    // MADLAD-400 keeps the embedding under the decoder's name; UL2's fixture has the tie flag as transformers 5 writes it.
    const asked = tensorsOf(name === 'ul2' ? { ...config, tie_word_embeddings: false } : config).map(([tensor, shape]) =>
      name === 'madlad400' && tensor === 'shared.weight' ? ['decoder.embed_tokens.weight', shape] : [tensor, shape],
    )
    expect(sorted(asked)).toEqual(sorted(found))
  })
})

// In billions: Raffel et al. 2020, Xue et al. 2021 (mT5) and 2022 (ByT5), Tay et al. 2023, Kudugunta et al. 2023.
const PUBLISHED: [family: string, counts: Record<string, number>][] = [
  ['T5 (v1.0)', { small: 0.06, base: 0.22, '3b': 2.8, '11b': 11 }],
  ['mT5', { small: 0.3, base: 0.58, large: 1.2, xl: 3.7, xxl: 13 }],
  ['ByT5', { small: 0.3, base: 0.582, large: 1.23, xl: 3.74, xxl: 12.9 }],
  ['UL2, Flan-UL2', { '20b': 20 }],
  ['MADLAD-400', { '3b': 3, '7b': 8.3, '10b': 10.7 }],
]

test.each(PUBLISHED)('%s has as many parameters as its paper says', (family, counts) => {
  for (const [size, billions] of Object.entries(counts)) {
    const { config } = publishedModels().find((model) => model.family === family && model.size === size)!
    const numbers = tensorsOf(config).reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0)
    expect(Math.abs(numbers / (1e9 * billions) - 1)).toBeLessThan(0.03)
  }
})
