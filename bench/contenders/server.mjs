// An HTTP server over one model, as a user would write it: POST { input, prompt, maxNewTokens } gives { text }. node server.mjs MODEL DTYPE THREADS [DATA]
// With DATA, a prompt is tuned on that file all the while. Prints its port.
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { SoftPrompt, T5 } from 'softprompt'

const [model, dtype, threads, train] = process.argv.slice(2)
const t5 = await T5.load(model, { device: 'cpu', dtype, threads: Number(threads) })
const { dModel } = t5.config
const prompts = Array.from({ length: 4 }, () =>
  SoftPrompt.fromArray(Float32Array.from({ length: 100 * dModel }, Math.random), { rows: 100, dModel }),
)

const server = createServer(async (request, response) => {
  try {
    const { input, prompt, maxNewTokens } = await json(request)
    const { text } = await t5.generate(input, { prompt: prompts[prompt % prompts.length], minNewTokens: maxNewTokens, maxNewTokens })
    response.end(JSON.stringify({ text }))
  } catch (error) {
    response.writeHead(500).end(error.message)
  }
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))

let steps = 0
const run = train && t5.tune({ train, steps: 1_000_000 })
run?.result.catch(() => {}) // it is aborted below
const reading =
  run &&
  (async () => {
    for await (const event of run) if (event.type === 'step') steps = event.step
  })().catch(() => {})

process.stdin.resume().once('end', async () => {
  run?.abort()
  await reading
  server.close()
  await t5.dispose()
  process.stdout.write(`${steps}\n`)
})
