// A model that nobody disposes of must not keep the process alive, nor may one that is still wanted end early.
import { generateOptions, load, openDesk, promptedRows } from '../support/desk.mjs'

const model = await load(openDesk()).promise
const [[generation]] = await model.generate(promptedRows([[3, 4, 1]]), generateOptions(1, 4)).promise
console.log(`made ${generation.tokens.length}`)
