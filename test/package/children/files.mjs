// Writes and reads back what the package writes and reads: copied into a user's project, where its package manager may stand between it and the files.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { SoftPrompt, T5, writeReport } from 'softprompt'

const root = dirname(createRequire(import.meta.url).resolve('softprompt/package.json'))
const t5 = await T5.load(join(root, 'models', 'nano-t5'))
const result = await t5.tune({ train: join(root, 'examples', 'snips', 'train.jsonl'), steps: 1 }).result
await result.prompt.save('prompt.safetensors')
const prompt = await SoftPrompt.load('prompt.safetensors')
await writeReport('report.json', result)
await t5.save('saved')
await t5.dispose()

const again = await T5.load('saved')
const { text } = await again.generate('play some jazz', { prompt, maxNewTokens: 4 })
await again.dispose()
console.log(JSON.stringify({ answered: typeof text, steps: JSON.parse(readFileSync('report.json', 'utf8')).report.steps }))
