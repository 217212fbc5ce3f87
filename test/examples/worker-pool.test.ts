import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { load, NANO, wavyPrompt } from '../api/helpers.js'
import { mustRun } from '../package/sandbox.js'
import { installedExample } from './installed.js'

const WIDTH = 192

it('answers as one model does, in the order of the questions', async () => {
  const folder = installedExample('worker-pool')
  const questions = Array.from({ length: 20 }, (_, i) => `question ${i}`)
  writeFileSync(join(folder, 'questions.txt'), questions.join('\n'))
  const prompt = wavyPrompt(3, WIDTH)
  await prompt.save(join(folder, 'prompt.safetensors'))
  const stdout = await mustRun(process.execPath, ['main.mjs', NANO, '2', 'questions.txt', 'prompt.safetensors'], { cwd: folder })
  const t5 = await load(NANO, { dtype: 'auto' })
  const alone = await t5.generate(questions, { prompt, maxNewTokens: 32 })
  expect(stdout.trimEnd().split('\n')).toEqual(alone.map(({ text }) => text))
})

it('a batch that fails, or cannot be sent, fails alone', async () => {
  const folder = installedExample('worker-pool')
  const code = `
    import { Pool } from ${JSON.stringify(pathToFileURL(join(folder, 'pool.mjs')).href)}
    const pool = await Pool.open({ model: ${JSON.stringify(NANO)}, size: 1 })
    const codes = []
    await pool.generate([{ input: 'x', numBeams: 0 }]).catch((error) => codes.push(error.code))
    await pool.generate([{ input: 'x', prompt: () => {} }]).catch((error) => codes.push(error.name))
    const [text] = await pool.generate(['still there'])
    await pool.close()
    await pool.generate(['x']).catch((error) => codes.push(error.message))
    console.log(JSON.stringify({ codes, type: typeof text }))`
  writeFileSync(join(folder, 'test.mjs'), code)
  const stdout = await mustRun(process.execPath, ['test.mjs'], { cwd: folder })
  expect(JSON.parse(stdout)).toEqual({ codes: ['OPTION_INVALID', 'DataCloneError', 'the pool is closed'], type: 'string' })
})
