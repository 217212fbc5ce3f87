// Benches print figures, and ratios against a peer in the same run; they assert nothing. `npm run bench -- --help`
import { CASES } from './cases.mjs'
import { closeProbes, higher, machine, peaks } from './machine.mjs'
import { modelFolder } from './models.mjs'
import { benchOptions } from './options.mjs'
import { BASELINE, contenders, ours, prepareOnnx } from './peers.mjs'
import { Results } from './results.mjs'
import { summary } from './summary.mjs'
import { writeTables } from './table.mjs'

const options = benchOptions(CASES)
if (options.from) {
  writeTables(options.page, Results.read(options.from))
  process.exit(0)
}
const results = new Results(options, await machine(options))
for (const name of options.cases) for (const model of modelsOf(CASES[name])) await runCase(name, CASES[name], model)
await closeProbes()

function modelsOf({ models, large }) {
  return options.models ?? models.filter((model) => !options.quick || large || model !== 'v1.1-base')
}

/** A case with one model, on each number of threads. What fails says so, and the next goes on. */
async function runCase(name, bench, model) {
  const folder = modelFolder(model, options.work)
  await prepareOnnx(bench.peers ?? [], folder, options).catch((error) => console.log(`onnxruntime-node can't be had: ${error.message}`))
  if (options.prepare) return
  for (const threads of bench.alone ? [options.threads.at(-1)] : options.threads) {
    console.log(`\n${name} (${bench.about}); ${model}, ${threads} thread${threads === 1 ? '' : 's'}`)
    try {
      results.add({ case: name, about: bench.about, model, threads, ...(await measured(bench, { model, folder, threads })) })
    } catch (error) {
      console.log(`  left out: ${error.message}`)
    }
  }
}

async function measured(bench, { model, folder, threads }) {
  const at = { model, folder, threads, batchSize: options.batchSize ?? bench.batchSize }
  if (bench.alone) return bench.alone(at, options)
  const helper = ours(folder, 'bfloat16', 1) // that tokenizes
  try {
    const before = await peaks(threads, options)
    const result = await bench.measure({ ...at, helper }, contenders(bench, { folder, threads, options }), options)
    return summary({ ...result, peaks: higher(before, await peaks(threads, options)) }, BASELINE)
  } finally {
    await helper.close()
  }
}
