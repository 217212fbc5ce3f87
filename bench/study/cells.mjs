import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a study has measured: a JSON file for each set of settings, in a folder. */
export class Cells {
  constructor(folder) {
    this.folder = folder
    mkdirSync(folder, { recursive: true })
  }

  /** The result for these settings: as it was kept, or of `measure`, which is then kept. */
  async get(settings, measure) {
    const path = this.path(settings, 'json')
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).result
    process.stderr.write(`measuring ${Object.values(settings).join(' ')}\n`)
    const result = await measure()
    writeFileSync(`${path}.tmp`, `${JSON.stringify({ settings, result }, null, 2)}\n`)
    renameSync(`${path}.tmp`, path)
    return result
  }

  /** A file of the cell's own: its name tells the task and the system, and differs with every setting. */
  path(settings, ending) {
    const hash = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12)
    return join(this.folder, `${settings.task}-${settings.system}-${hash}.${ending}`)
  }
}
