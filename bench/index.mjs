// Benches print figures, and ratios against a peer in the same run; they assert nothing. `npm run bench -- --help`
import { decode } from './decode.mjs'
import { eventLoop } from './event-loop.mjs'
import { benchOptions } from './options.mjs'
import { train } from './train.mjs'

const CASES = { 'event-loop': eventLoop, train, ...decode }

const options = benchOptions()
const unknown = options.cases.filter((name) => !(name in CASES))
if (unknown.length > 0) {
  console.error(`There is no bench '${unknown.join("', '")}'. Choose from ${Object.keys(CASES).join(', ')}.`)
  process.exit(2)
}
for (const [name, bench] of Object.entries(CASES)) if (options.cases.length === 0 || options.cases.includes(name)) await bench(options)
