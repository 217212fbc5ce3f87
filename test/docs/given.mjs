// What snippets take for granted, as real things: a folder of models, data and prompts, and a run of every kind cut down to two small steps. `node given.mjs FILE ...`
// runs the files one after the other there and prints, a line each, what went wrong ('' for nothing).
import { pathToFileURL } from 'node:url'
import * as api from 'softprompt'

const { SoftPrompt, T5 } = api
const pending = []

/** Everything that a snippet starts without waiting for it must end well too. */
function follow(promise) {
  pending.push(promise)
  promise.catch(() => {}) // it is asked about below
  return promise
}

const smaller = (options) => ({ ...options, steps: Math.min(options.steps ?? 1000, 2), batchSize: 4, evaluateEvery: 1 })
for (const name of ['tune', 'finetune', 'adapt']) {
  const original = T5.prototype[name]
  T5.prototype[name] = function (options) {
    const run = original.call(this, smaller(options))
    follow(run.result)
    return run
  }
}
const { evaluate } = T5.prototype
T5.prototype.evaluate = function (options) {
  return follow(evaluate.call(this, options))
}

const rows = (targets) => targets.map((target, i) => ({ input: `row ${i}`, target }))
const t5 = await T5.load('models/nano-t5', { threads: 2 })
const train = rows(['yes', 'no', 'yes', 'no'])
const validation = rows(['no', 'yes'])
const run = t5.tune({ train, validation, runs: [{ seed: 1 }, { seed: 2 }], prompt: { length: 4 } })
const result = await run.result
const [{ prompt: reviews }, { prompt: intents }] = result.runs
for (const name of ['snips', 'stars']) await SoftPrompt.mean([reviews, intents]).save(`${name}.safetensors`)
const database = { iterate: () => [{ q: 'one and one', a: 'two' }] }
Object.assign(globalThis, api, { t5, train, validation, run, result, reviews, intents, database })
Object.assign(globalThis, { prompt: result.prompt, runs: result.runs, askAPerson() {} })

for (const file of process.argv.slice(2)) {
  pending.length = 0
  let fault = ''
  try {
    await import(pathToFileURL(file).href)
    await Promise.all(pending)
  } catch (error) {
    fault = error.stack
  }
  process.stdout.write(`\n${JSON.stringify({ file, fault })}\n`)
}
process.exit(0)
