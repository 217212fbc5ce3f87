import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a study has measured: a JSON file for each set of settings, in a folder; prompts and other files of a measurement in another. */
export class Cells {
  constructor(folder, files) {
    this.folder = folder
    this.files = files
    mkdirSync(folder, { recursive: true })
    mkdirSync(files, { recursive: true })
  }

  /** The result for these settings: as it was kept, or of `measure`, which is then kept. */
  async get(settings, measure) {
    const path = join(this.folder, `${nameOf(settings)}.json`)
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).result
    process.stderr.write(`measuring ${Object.values(settings).join(' ')}\n`)
    const result = await measure()
    writeFileSync(`${path}.tmp`, `${JSON.stringify({ settings, result }, null, 1)}\n`)
    renameSync(`${path}.tmp`, path)
    return result
  }

  /** A file of the cell's own beside its result. */
  file(settings, ending) {
    return join(this.files, `${nameOf(settings)}.${ending}`)
  }
}

/** Tells the task and the system, and differs with every setting. */
function nameOf(settings) {
  const hash = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 12)
  return `${settings.task}-${settings.system}-${hash}`
}
