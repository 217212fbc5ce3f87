// A call of the package's API, named by the second argument, and what ends in the middle of it, named by the first:
//   exit       the process, with code 3
//   dispose    the model, twice at once, while other calls begin: all of them reject with MODEL_DISPOSED
//   terminate  the Worker that makes the call, and then the next one
// Or what the user gave it throws ('throw'; the second argument is where): the model must go on answering.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { SoftPrompt, T5 } from '../../../lib/index.js'

const ENDLESS = 1_000_000_000
const TOKENS = { minNewTokens: 100_000, maxNewTokens: 100_000 }
const rows = (count) => Array.from({ length: count }, (_, i) => ({ input: [10 + (i % 20), 30 + (i % 9), 1], target: [60 + (i % 2), 1] }))
const inputs = (count) => rows(count).map(({ input }) => input)
const texts = Array.from({ length: 60 }, (_, i) => [10 + (i % 20), 11 + (i % 20), 12 + (i % 20), 40 + (i % 7)])
const TINY = fileURLToPath(new URL('../../fixtures/t5-v1.1', import.meta.url))
const ON_ONE_THREAD = { device: 'cpu', dtype: 'float32', threads: 1 }
const prompt = SoftPrompt.fromArray(new Float32Array(64 * 48).fill(0.1), { rows: 64, dModel: 48 })

async function onSteps(run, middle) {
  for await (const { type } of run) if (type === 'step') middle()
  await run.result
}

/** For calls that tell nothing on their way: they are given more to do than will be done by then. */
async function during(call, middle) {
  let over = false
  sleep(20).then(() => {
    if (over) throw new Error('the call was over before its middle')
    middle()
  })
  await call.finally(() => {
    over = true
  })
}

const CALLS = {
  tune: (t5, middle) => onSteps(t5.tune({ train: rows(6), prompt: { length: 4 }, steps: ENDLESS }), middle),
  finetune: (t5, middle) => onSteps(t5.finetune({ train: rows(6), steps: ENDLESS, batchSize: 3 }), middle),
  adapt: (t5, middle) => onSteps(t5.adapt({ text: texts, windowLength: 12, steps: ENDLESS, batchSize: 3 }), middle),
  async stream(t5, middle) {
    for await (const _ of t5.stream([3, 4, 1], TOKENS)) middle()
  },
  generate: (t5, middle) => during(t5.generate(inputs(20), TOKENS), middle),
  evaluate: (t5, middle) => during(t5.evaluate({ data: rows(20_000) }), middle),
  score: (t5, middle) => during(t5.score(rows(100_000)), middle),
  classify: (t5, middle) =>
    during(
      t5.classify(inputs(100_000), {
        labels: [
          [60, 1],
          [61, 1],
        ],
      }),
      middle,
    ),
  gradient: (t5, middle) => during(t5.gradient(rows(3_000), { prompt }), middle),
  explain: (t5, middle) => during(t5.explain(prompt, { examples: rows(5_000) }), middle),
}

async function start(name, middle) {
  const t5 = await T5.load(TINY, ON_ONE_THREAD)
  let told = false
  return CALLS[name](t5, () => {
    if (!told) middle(t5)
    told = true
  })
}

/** Each throws `error` from a function or a loop of the user's. */
const THROWS = {
  metric(t5, error) {
    const compute = () => {
      throw error
    }
    return t5.evaluate({ data: rows(3), metrics: [{ name: 'mine', compute }] })
  },
  async stream(t5, error) {
    for await (const _ of t5.stream([3, 4, 1], TOKENS)) throw error
  },
  tune(t5, error) {
    async function* examples() {
      yield rows(1)[0]
      throw error
    }
    return t5.tune({ train: examples(), steps: ENDLESS }).result
  },
  adapt(t5, error) {
    async function* documents() {
      yield* texts
      throw error
    }
    return t5.adapt({ text: documents(), windowLength: 12, steps: ENDLESS, batchSize: 3 }).result
  },
}

const MODES = {
  exit: (name) => start(name, () => process.exit(3)),

  async dispose(name) {
    const outcomes = []
    const outcome = (promise) =>
      promise.then(
        () => 'came to its end',
        (error) => error.code,
      )
    const call = outcome(
      start(name, (t5) => {
        outcomes.push(...['score', 'stream', 'tune'].map((other) => outcome(CALLS[other](t5, () => {}))))
        outcomes.push(outcome(Promise.all([t5.dispose(), t5.dispose()]).then(() => t5.generate([3, 1]))))
      }),
    )
    console.log(JSON.stringify([await call, ...(await Promise.all(outcomes))]))
  },

  async throw(name) {
    const error = new Error('from the user')
    const uncaught = []
    process.on('uncaughtException', (one) => uncaught.push(one === error))
    const onProgress = ({ status }) => {
      if (name === 'progress' && status === 'progress') throw error
    }
    const t5 = await T5.load(TINY, { ...ON_ONE_THREAD, onProgress })
    const rejected = await THROWS[name]?.(t5, error).then(
      () => false,
      (one) => one === error || one.cause === error,
    )
    const { tokens } = await t5.generate([3, 4, 1], { maxNewTokens: 4 })
    await t5.dispose()
    console.log(JSON.stringify({ rejected, uncaught: uncaught.length > 0 && uncaught.every(Boolean), answers: tokens.length > 0 }))
  },

  async terminate(name, count) {
    for (let i = 0; i < Number(count); i++) {
      const worker = new Worker(new URL(import.meta.url), { workerData: name })
      await once(worker, 'message')
      await worker.terminate()
    }
    console.log('done')
  },
}

if (isMainThread) {
  const [mode, name, ...more] = process.argv.slice(2)
  await MODES[mode](name, ...more)
} else {
  await start(workerData, () => parentPort.postMessage('in the middle'))
}
