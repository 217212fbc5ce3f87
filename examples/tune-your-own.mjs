// Tunes a prompt on data and with a model of your own. Ctrl-C stops the run and keeps the best prompt so far.
//
//   node examples/tune-your-own.mjs MODEL TRAIN [VALIDATION]
//   node examples/tune-your-own.mjs models/nano-t5 examples/snips/train.jsonl examples/snips/validation.jsonl
//
// MODEL is the folder of a T5 (config.json, model.safetensors, spiece.model). TRAIN and VALIDATION are files of rows { "input": ..., "target": ... }:
// .jsonl, .json, or .csv and .tsv with those two columns. The targets may be labels or free text.

import { SoftPrompt, SoftPromptError, T5 } from 'softprompt'

const [model, train, validation] = process.argv.slice(2)
if (!model || !train) {
  console.error('usage: node examples/tune-your-own.mjs MODEL TRAIN [VALIDATION]')
  process.exit(2)
}

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort(new Error('interrupted')))

const out = 'prompt.safetensors'
let t5
try {
  t5 = await T5.load(model)
  const run = t5.tune({ train, validation, steps: 500, signal: interrupt.signal })
  for await (const event of run) {
    if (event.type === 'step' && event.step % 10 === 0) console.log(`step ${event.step} of ${event.steps}: loss ${event.loss.toFixed(3)}`)
    if (event.type === 'evaluation') console.log(`step ${event.step}:`, event.metrics, event.best ? 'best so far' : '')
  }
  // After an interruption `result` rejects, and what was learned until then is in the reason's `partial`.
  const { prompt, report } = await run.result.catch((error) => {
    if (error.partial) return error.partial
    throw error
  })
  await prompt.save(out)
  console.log(`saved ${out}: ${prompt.rows} x ${prompt.dModel} numbers from step ${report.bestStep}`)
  console.log('first answers:')
  const again = await SoftPrompt.load(out)
  const { predictions } = await t5.evaluate({ data: validation ?? train, prompt: again })
  for (const { input, prediction } of predictions.slice(0, 5)) console.log(`  ${input} -> ${prediction}`)
} catch (error) {
  // Errors of the package have a code and say what to do; anything else is a fault worth its stack.
  if (!SoftPromptError.isInstance(error)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
} finally {
  await t5?.dispose()
}
