// Ends the process, with code 3, in the middle of what the argument names.
import { endless, generateOptions, load, openDesk, promptedRows, theRun, tuneOptions } from '../support/desk.mjs'

const native = openDesk()
const model = await load(native).promise
const exit = () => process.exit(3)
const work = {
  async tune() {
    const tuner = await model.tuner(tuneOptions()).promise
    await tuner.run(endless, theRun, (steps) => steps.at(-1).step > 2 && exit()).promise
  },
  async generate() {
    await model.generate(promptedRows([[3, 4, 1]]), generateOptions(1, 100_000, 100_000), exit).promise
  },
  async both() {
    const tuner = await model.tuner(tuneOptions()).promise
    let served = 0
    const serve = () => model.generate(promptedRows([[3, 4, 1]]), generateOptions(1, 8)).promise.then(again)
    const again = () => (++served > 5 ? exit() : serve())
    serve()
    await tuner.run(endless, theRun, () => {}).promise
  },
  async reallyExit() {
    const tuner = await model.tuner(tuneOptions()).promise
    await tuner.run(endless, theRun, (steps) => steps.at(-1).step > 2 && process.reallyExit(3)).promise
  },
  async load() {
    setImmediate(exit)
    await load(native).promise
  },
}
await work[process.argv[2]]()
