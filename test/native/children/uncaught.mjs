// A callback of the user throws. 'unhandled': nothing catches it. Else a handler notes it, and the run must go on to its end.
import { load, openDesk, theRun, tuneOptions } from '../support/desk.mjs'

const [mode] = process.argv.slice(2)
const thrown = { error: new Error('from onSteps'), null: null, undefined, unhandled: new Error('from onSteps') }[mode]
const seen = []
if (mode !== 'unhandled') process.on('uncaughtException', (error) => seen.push(error))

const model = await load(openDesk()).promise
const tuner = await model.tuner(tuneOptions()).promise
let steps = 0
await tuner.run(20, theRun, (some) => {
  steps += some.length
  throw thrown
}).promise
await model.dispose()
console.log(JSON.stringify({ steps, caught: seen.length > 0 && seen.every((error) => error === thrown) }))
