// Workers that tune and generate are terminated in the middle of it, one after another; or two of them work beside the main thread.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { endless, generateOptions, load, openDesk, promptedRows, theRun, tuneOptions } from '../support/desk.mjs'

async function tuneFor(steps, onFirst = () => {}) {
  const model = await load(openDesk()).promise
  const tuner = await model.tuner(tuneOptions()).promise
  let told = false
  const run = tuner.run(steps, theRun, () => {
    if (!told) onFirst()
    told = true
  })
  const served = model.generate(promptedRows([[3, 4, 1], [5]]), generateOptions(2, 8)).promise
  await run.promise
  const [[first]] = await served
  const { data } = await tuner.prompt(0).promise
  await model.dispose()
  return `${first.tokens.join()} ${data.join()}`
}

/** Generates without end; `onFirst` is called in the middle of it. */
async function generateOn(onFirst) {
  const model = await load(openDesk()).promise
  let told = false
  await model.generate(promptedRows([[3, 4, 1], [5]]), generateOptions(2, 100_000, 100_000), () => {
    if (!told) onFirst()
    told = true
  }).promise
}

function startWorker(work) {
  const worker = new Worker(new URL(import.meta.url), { workerData: work })
  const message = new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return { worker, message }
}

async function terminate(count) {
  for (let i = 0; i < count; i++) {
    const { worker, message } = startWorker(i % 2 === 0 ? { steps: endless } : { generate: true })
    await message
    await worker.terminate()
  }
}

async function beside() {
  const workers = [startWorker({ steps: 30 }), startWorker({ steps: 30 })]
  const results = await Promise.all([tuneFor(30), ...workers.map(({ message }) => message)])
  if (new Set(results).size !== 1) throw new Error('the three environments disagree')
}

if (!isMainThread) {
  const { steps, generate } = workerData
  if (generate) await generateOn(() => parentPort.postMessage('generating'))
  const result = await tuneFor(steps, () => steps === endless && parentPort.postMessage('tuning'))
  parentPort.postMessage(result)
} else {
  const [mode, count] = process.argv.slice(2)
  if (mode === 'terminate') await terminate(Number(count))
  if (mode === 'terminate-beside') {
    const model = await load(openDesk()).promise
    const tuner = await model.tuner(tuneOptions()).promise
    const run = tuner.run(endless, theRun, () => {})
    const ended = run.promise.catch((error) => error.code)
    await terminate(Number(count))
    run.cancel()
    if ((await ended) !== 'CANCELLED') throw new Error('the run on the main thread was disturbed')
  }
  if (mode === 'beside') await beside()
  console.log('done')
}
