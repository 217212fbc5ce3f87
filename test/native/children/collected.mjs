// Models that are used and forgotten: the collector ends their threads. Run with --expose-gc.
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateOptions, load, openDesk, promptedRows, theRun, tuneOptions } from '../support/desk.mjs'

const native = openDesk()
const threads = () => readdirSync('/proc/self/task').length

async function useAndForget() {
  const model = await load(native).promise
  const tuner = await model.tuner(tuneOptions()).promise
  await tuner.run(2, theRun, () => {}).promise
  await model.generate(promptedRows([[3, 4, 1]]), generateOptions(1, 4)).promise
}

async function settle(target) {
  for (let i = 0; i < 200 && threads() > target; i++) {
    globalThis.gc()
    await sleep(10)
  }
}

await useAndForget()
await settle(0)
const before = threads()
for (let i = 0; i < 8; i++) await useAndForget()
const during = threads()
await settle(before)
console.log(JSON.stringify({ before, during, after: threads() }))
