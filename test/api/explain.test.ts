import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SoftPrompt } from '../../src/index.js'
import { cli } from '../cli/helpers.js'
import { failure, load, TINY, TINY_EXAMPLES, TINY_RUN, temporaryFolder, wavyPrompt } from './helpers.js'

const t5 = await load(TINY)

test('nearest tokens and norms; every similarity is a cosine, the nearest first', async () => {
  const prompt = wavyPrompt(3, 48)
  const { rows, from } = await prompt.explain(t5, { nearest: 4 })
  expect(from).toBeNull()
  expect(rows.length).toBe(3)
  for (const [i, { norm, nearest }] of rows.entries()) {
    expect(norm).toBeCloseTo(Math.hypot(...prompt.data.subarray(i * 48, (i + 1) * 48)), 5)
    const similarities = nearest.map(({ similarity }) => similarity)
    expect(similarities).toEqual(similarities.toSorted((a, b) => b - a))
    expect(new Set(nearest.map(({ id }) => id)).size).toBe(4)
    expect(nearest[0]!.token).toBeUndefined()
  }
  expect((await t5.explain(prompt, { nearest: 1000 })).rows[0]!.nearest.length).toBe(t5.config.vocabSize)
})

test('a prompt that has not moved is where it started, and near the tokens it was made of', async () => {
  const options = { ...TINY_RUN, steps: 1, optimizer: { name: 'adamw', learningRate: 1e-12, weightDecay: 0 } as const }
  const { prompt } = await t5.tune(options).result
  const { rows, from } = await t5.explain(prompt)
  expect(from).toBe('start')
  for (const { drift, nearest } of rows) {
    expect(drift!.distance).toBeLessThan(1e-6)
    expect(nearest[0]!.similarity).toBeCloseTo(1, 5)
  }
  const moved = await t5.explain((await t5.tune(TINY_RUN).result).prompt)
  for (const { drift } of moved.rows) expect(drift!.distance).toBeGreaterThan(1e-3)
})

test('against another prompt, row by row', async () => {
  const prompt = wavyPrompt(2, 48)
  const negative = SoftPrompt.fromArray(prompt.data.map((value) => -value).subarray(0, 48), { rows: 1, dModel: 48 })
  const { rows, from } = await t5.explain(prompt, { against: negative })
  expect(from).toBe('against')
  expect(rows[0]!.drift!.similarity).toBeCloseTo(-1, 6)
  expect(rows[0]!.drift!.distance).toBeCloseTo(2 * rows[0]!.norm, 5)
  expect(rows[1]!.drift).toBeUndefined()
})

test('two prompts as wholes: by their mean rows, and over all pairs of rows', async () => {
  const prompt = wavyPrompt(3, 48)
  const other = SoftPrompt.fromArray(prompt.data.map((value, i) => value + Math.cos(3 * i)).subarray(0, 96), { rows: 2, dModel: 48 })
  const row = (of: SoftPrompt, i: number) => of.data.subarray(i * 48, (i + 1) * 48)
  const cosine = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, i) => sum + value * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b)
  const mean = (of: SoftPrompt) =>
    row(of, 0).map((_, i) => Array.from({ length: of.rows }, (_, j) => row(of, j)[i]!).reduce((a, b) => a + b) / of.rows)
  const pairs = [0, 1, 2].flatMap((i) => [0, 1].map((j) => cosine(row(prompt, i), row(other, j))))
  const { similarity } = await t5.explain(prompt, { against: other })
  expect(similarity!.averageTokens).toBeCloseTo(cosine(mean(prompt), mean(other)), 5)
  expect(similarity!.perToken).toBeCloseTo(pairs.reduce((a, b) => a + b) / 6, 5)
  const turned = SoftPrompt.fromArray(Float32Array.from([...row(prompt, 2), ...row(prompt, 0), ...row(prompt, 1)]), { rows: 3, dModel: 48 })
  expect((await t5.explain(prompt, { against: turned })).similarity!.averageTokens).toBeCloseTo(1, 5)
  expect((await t5.explain(prompt)).similarity).toBeUndefined()
})

test("a row's effect is the log-probability lost without it", async () => {
  const prompt = wavyPrompt(2, 48)
  const examples = TINY_EXAMPLES.slice(0, 3)
  const { rows, logProb } = await t5.explain(prompt, { examples })
  const mean = async (used: SoftPrompt | null) => {
    const scores = await t5.score(examples, { prompt: used })
    return scores.reduce((sum, score) => sum + score.logProb, 0) / 3
  }
  expect(logProb).toBeCloseTo(await mean(prompt), 6)
  const second = SoftPrompt.fromArray(prompt.data.slice(48), { rows: 1, dModel: 48 })
  expect(rows[0]!.effect).toBeCloseTo((await mean(prompt)) - (await mean(second)), 5)
  const one = await t5.explain(second, { examples })
  expect(one.rows[0]!.effect).toBeCloseTo((await mean(second)) - (await mean(null)), 5)
})

test('what is wrong is told', async () => {
  const codes = [wavyPrompt(2, 47), {} as SoftPrompt].map(async (prompt) => (await failure(t5.explain(prompt))).code)
  expect(await Promise.all(codes)).toEqual(['PROMPT_WIDTH', 'OPTION_INVALID'])
  expect((await failure(t5.explain(wavyPrompt(2, 48), { examples: [] }))).code).toBe('OPTION_INVALID')
})

test('on the command line', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'p.safetensors')
  await wavyPrompt(2, 48).save(path)
  const data = join(folder, 'data.jsonl')
  writeFileSync(data, TINY_EXAMPLES.map((example) => JSON.stringify(example)).join('\n'))
  const args = ['explain', path, '--model', TINY, '--dtype', 'float32', '--threads', '1', '--data', data]
  const shown = await cli(args)
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringMatching(/effect.*nearest tokens/)])
  expect(JSON.parse((await cli([...args, '--json', '--against', path])).stdout)).toMatchObject({ from: 'against', rows: [{}, {}] })
}, 60_000)
