import { watch } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { SoftPrompt } from 'softprompt'

const ENDING = '.safetensors'

/** The prompts of a folder by their names, kept as the files are. A request takes its prompt once and keeps it, so that a swap disturbs none. */
export class Prompts {
  #folder
  #log
  #byName = new Map()
  #watcher
  #reading = Promise.resolve()

  constructor(folder, log) {
    this.#folder = folder
    this.#log = log
  }

  static async open(folder, log) {
    await mkdir(folder, { recursive: true })
    const prompts = new Prompts(folder, log)
    prompts.#watcher = watch(folder, (_event, file) => file && prompts.#changed(file))
    for (const file of await readdir(folder)) prompts.#changed(file)
    await prompts.#reading
    return prompts
  }

  get names() {
    return [...this.#byName.keys()].sort()
  }

  get(name) {
    return this.#byName.get(name)
  }

  close() {
    this.#watcher.close()
  }

  // One file after another, so that the last change of a file is the one that stays.
  #changed(file) {
    if (extname(file) === ENDING) this.#reading = this.#reading.then(() => this.#read(basename(file, ENDING)))
  }

  async #read(name) {
    try {
      this.#byName.set(name, await SoftPrompt.load(join(this.#folder, name + ENDING)))
      this.#log.info(`prompt ${name}: loaded`)
    } catch (error) {
      if (error.code === 'PROMPT_FILE_NOT_FOUND') this.#byName.delete(name)
      this.#log.warn(`prompt ${name}: ${error.message}`)
    }
  }
}
