import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { OptionError } from '../errors.js'
import type { LoadOptions } from '../load.js'
import { T5 } from '../model.js'
import type { Plan } from './plan.js'

/** The main model before its adaptation, as a name in cells; and after so many steps of it. */
export const PRETRAINED = 'pretrained'
export const adaptedName = (steps: number) => `adapted ${steps}`

export interface ModelOptions {
  folder: string
  load: LoadOptions
  signal: AbortSignal
  tell(what: string): void
}

/** The models of a study, one in memory at a time. */
export class StudyModels implements AsyncDisposable {
  #open: { name: string; t5: T5 } | undefined

  constructor(
    private readonly plan: Plan,
    private readonly options: ModelOptions,
  ) {}

  /** Loads the model, after adapting it where that was not done yet. It stays the owner's. */
  async get(name: string): Promise<T5> {
    if (this.#open?.name === name) return this.#open.t5
    await this[Symbol.asyncDispose]()
    const t5 = await this.#load(await this.#pathOf(name))
    this.#open = { name, t5 }
    return t5
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.t5.dispose()
    this.#open = undefined
  }

  #load(path: string): Promise<T5> {
    const { load, signal } = this.options
    return T5.load(path, { ...load, signal })
  }

  async #pathOf(name: string): Promise<string> {
    const { models, pretrained } = this.plan
    const path = models[name] ?? (name === PRETRAINED ? pretrained?.model : undefined)
    if (path !== undefined) return path
    const steps = pretrained?.steps.find((one) => adaptedName(one) === name)
    if (steps === undefined) throw new OptionError('OPTION_INVALID', `The plan has no model '${name}'.`)
    const out = join(this.options.folder, 'models', name.replace(' ', '-'))
    if (!existsSync(out)) await this.#adapt(steps, out)
    return out
  }

  async #adapt(steps: number, out: string): Promise<void> {
    const { model, text, windowLength, batchSize, learningRate } = this.plan.pretrained!
    const { signal, tell, folder } = this.options
    tell(`adapting ${model}: ${steps} steps`)
    await mkdir(join(folder, 'models'), { recursive: true })
    const t5 = await this.#load(model)
    try {
      const rate = learningRate !== undefined && { learningRate }
      const { model: adapted } = await t5.adapt({ text: { path: text }, windowLength, batchSize, steps, signal, ...rate }).result
      await adapted.save(out)
      await adapted.dispose()
    } finally {
      await t5.dispose()
    }
  }
}
