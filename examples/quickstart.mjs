// From examples to answers: learns seven intents of voice-assistant requests on the model in this package, saves what was learned, and uses it.
//
//   node examples/quickstart.mjs

import { fileURLToPath } from 'node:url'
import { SoftPrompt, T5 } from 'softprompt'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const labels = ['playlist', 'restaurant', 'weather', 'music', 'rating', 'work', 'screening']

const t5 = await T5.load(here('../models/nano-t5'))

// Learn. The model stays frozen; what is learned is a matrix of 100 rows, which start as the embeddings of the labels and of other frequent words.
const run = t5.tune({
  train: here('snips/train.jsonl'),
  validation: here('snips/validation.jsonl'),
  prompt: { init: { labels } },
  steps: 400,
  evaluateEvery: 100,
  seed: 0,
})
for await (const event of run) {
  if (event.type === 'step' && event.step % 20 === 0)
    console.log(`step ${event.step}: loss ${event.loss.toFixed(3)}, ${event.secondsLeft.toFixed(0)} s left`)
  if (event.type === 'evaluation') console.log(`step ${event.step}: validation accuracy ${event.metrics.accuracy.toFixed(3)}`)
}
const { prompt, report } = await run.result
await prompt.save('snips.safetensors')
console.log(`${prompt.rows} x ${prompt.dModel} numbers, learned in ${report.seconds.toFixed(0)} s, saved as snips.safetensors\n`)

// Use it: load the file again, measure it on rows that it has not seen, and ask it something.
const intents = await SoftPrompt.load('snips.safetensors')
const { metrics, count } = await t5.evaluate({ data: here('snips/test.jsonl'), prompt: intents })
console.log(`accuracy on ${count} test rows: ${metrics.accuracy.toFixed(3)}`)

const question = 'play some jazz'
const answer = await t5.generate(question, { prompt: intents })
console.log(`${question} -> ${answer.text} (log probability ${answer.logProb.toFixed(2)})`)

const [ranked] = await t5.classify([question], { labels, prompt: intents })
console.log(`${question} -> ${ranked.label} (${(100 * ranked.probabilities[ranked.index]).toFixed(0)} % among the ${labels.length} labels)`)

await t5.dispose()
