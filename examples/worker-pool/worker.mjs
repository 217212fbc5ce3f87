// Loads the model once, then answers batches of inputs.
import { parentPort, workerData } from 'node:worker_threads'
import { SoftPrompt, T5 } from 'softprompt'

const { model, threads, prompt: received } = workerData
const t5 = await T5.load(model, { threads })
const options = { maxNewTokens: 32, prompt: received && SoftPrompt.fromArray(received.data, received.shape) }

parentPort.on('message', async (inputs) => {
  if (inputs === null) {
    await t5.dispose()
    parentPort.close()
    return
  }
  try {
    const generations = await t5.generate(inputs, options)
    parentPort.postMessage({ texts: generations.map(({ text }) => text) })
  } catch ({ code, message }) {
    parentPort.postMessage({ failure: { code, message } })
  }
})
parentPort.postMessage('ready')
