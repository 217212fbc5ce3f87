// A process that opens the files of a list, one after the other, and tells what came of each: node --expose-gc open.mjs LIST.json
// One line of JSON a file: { name, code, message, isTyped, grown (bytes that the process grew by at its peak), ms }.
import { readFileSync, writeFileSync } from 'node:fs'
import { inspectFile, SoftPrompt, SoftPromptError, T5 } from '../../lib/index.js'

const model = async (path) => (await T5.load(path, { device: 'cpu', dtype: 'float32', threads: 1 })).dispose()
const control = async () => Buffer.alloc(100 << 20, 1)
const openers = { control, model, pt: model, prompt: (path) => SoftPrompt.load(path), inspect: (path) => inspectFile(path) }

const status = (field) => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1])

/** Linux keeps the largest size that a process had, and forgets it on request. */
async function measured(work) {
  globalThis.gc()
  writeFileSync('/proc/self/clear_refs', '5')
  const before = status('VmRSS')
  const start = performance.now()
  const result = await work()
  return { ...result, ms: Math.round(performance.now() - start), grown: status('VmHWM') - before }
}

async function open({ as, path }) {
  try {
    await openers[as](path)
    return { code: 'ok', message: '', isTyped: true }
  } catch (error) {
    return { code: error.code ?? error.name, message: error.message, isTyped: SoftPromptError.isInstance(error) }
  }
}

for (const item of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const outcome = await measured(() => open(item))
  process.stdout.write(`${JSON.stringify({ name: item.name, ...outcome })}\n`)
}
