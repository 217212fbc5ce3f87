import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { writeTables } from './table.mjs'

/** What a run has measured, kept in --json and shown in --page after each case: a run that is stopped has written what it knows. */
export class Results {
  constructor({ json, add, page, rounds, length, tokens, quick }, machine) {
    this.json = json
    this.page = page
    const had = add && json && existsSync(json) ? Results.read(json).runs : []
    this.run = { machine, options: { rounds, length, tokens, quick }, results: [] }
    this.all = { runs: [...had, this.run] }
  }

  static read(path) {
    return JSON.parse(readFileSync(path, 'utf8'))
  }

  add(result) {
    this.run.results.push(result)
    if (this.json) {
      writeFileSync(`${this.json}.tmp`, `${JSON.stringify(this.all, null, 1)}\n`)
      renameSync(`${this.json}.tmp`, this.json)
    }
    if (this.page) writeTables(this.page, this.all)
  }
}
