// The utility process: owns the model. Started with the model's folder and, where given, the number of steps.
import { T5 } from 'softprompt'

const [model, steps = '200'] = process.argv.slice(2)
const port = process.parentPort ?? process // Electron's, or that of a child process of Node
const reply = (message) => (process.parentPort ? port.postMessage(message) : process.send(message))

const loading = T5.load(model)
loading.catch(() => {}) // each call says it
let prompt = null

const calls = {
  async tune({ path }, onEvent) {
    const t5 = await loading
    const run = t5.tune({
      train: path,
      validationSplit: 0.2,
      steps: Number(steps),
      evaluateEvery: Math.ceil(Number(steps) / 5),
    })
    for await (const event of run) {
      if (event.type === 'step') onEvent({ step: event.step, steps: Number(steps), loss: event.loss })
      if (event.type === 'evaluation') onEvent({ step: event.step, accuracy: event.metrics.accuracy })
    }
    const { prompt: learned, report } = await run.result
    prompt = learned
    return { rows: prompt.rows, dModel: prompt.dModel, seconds: report.seconds }
  },
  async ask({ input }) {
    const t5 = await loading
    const { text } = await t5.generate(input, { prompt, maxNewTokens: 32 })
    return text
  },
  async close() {
    await (await loading).dispose()
  },
}

port.on('message', async (message) => {
  const { id, call, ...values } = process.parentPort ? message.data : message
  try {
    reply({ id, result: await calls[call](values, (event) => reply({ id, event })) })
  } catch ({ code, message }) {
    reply({ id, failure: { code, message } })
  }
})
