// Benches print figures, and ratios against a peer in the same run; they assert nothing. `npm run bench -- --help`
import { CASES } from './cases.mjs'
import { machine, peaks } from './machine.mjs'
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
for (const name of options.cases) {
  const models = options.models ?? CASES[name].models.filter((model) => !options.quick || CASES[name].large || model !== 'v1.1-base')
  for (const model of models) {
    const folder = modelFolder(model, options.work)
    if (!CASES[name].alone) await prepareOnnx(CASES[name].peers, folder, options)
    if (options.prepare) continue
    for (const threads of CASES[name].alone ? [options.threads.at(-1)] : options.threads) {
      try {
        results.add({ case: name, about: CASES[name].about, model, threads, ...(await measured(CASES[name], { model, folder, threads })) })
      } catch (error) {
        console.log(`  left out: ${error.message}`)
      }
    }
  }
}

async function measured(bench, { model, folder, threads }) {
  const at = { model, folder, threads, batchSize: options.batchSize ?? bench.batchSize }
  console.log(`\n${bench.about}; ${model}, ${threads} thread${threads === 1 ? '' : 's'}`)
  if (bench.alone) return bench.alone(at, options)
  const helper = ours(folder, 'bfloat16', 1)
  try {
    const machinePeaks = await peaks(threads, options)
    const result = await bench.measure({ ...at, helper }, contenders(bench.peers, { folder, threads, options }), options)
    return summary({ ...result, peaks: machinePeaks }, BASELINE)
  } finally {
    await helper.close()
  }
}
