// node main.mjs MODEL WORKERS FILE [PROMPT]: answers each line of FILE, several at a time; see README.md.
import { readFile } from 'node:fs/promises'
import { SoftPrompt } from 'softprompt'
import { Pool } from './pool.mjs'

const [model, workers, file, promptFile] = process.argv.slice(2)
if (!file) {
  console.error('usage: node main.mjs MODEL WORKERS FILE [PROMPT]')
  process.exit(2)
}
const BATCH = 8

const prompt = promptFile ? await SoftPrompt.load(promptFile) : null
const pool = await Pool.open({ model, prompt, size: Number(workers) })
const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean)
const batches = Array.from({ length: Math.ceil(lines.length / BATCH) }, (_, i) => lines.slice(BATCH * i, BATCH * (i + 1)))
const answers = await Promise.all(batches.map((batch) => pool.generate(batch)))
console.log(answers.flat().join('\n'))
await pool.close()
