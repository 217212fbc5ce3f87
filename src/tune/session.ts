import { existsSync } from 'node:fs'
import { type DataSet, type DataSummary, type Limits, loadSet, splitSet, summarise } from '../dataset.js'
import type { Frozen } from '../frozen.js'
import { type Call, finish } from '../job.js'
import { checkMetrics, computeMetrics, type Scored } from '../metrics/index.js'
import type { NativePromptRows, NativeStep, NativeTuner } from '../native.js'
import type { ResolvedTune } from '../options/tune.js'
import { predictTexts, references, textOf } from '../predict.js'
import { SoftPrompt } from '../prompt.js'
import { tokenRows } from '../rows.js'
import { VERSION } from '../version.js'
import { checkWritable } from '../writable.js'
import type { TuneEvent } from './events.js'
import { nativeInit } from './init.js'
import { labelsOf, promptMetadata } from './metadata.js'
import { outcomeOf } from './outcome.js'
import { RateMeter } from './rate.js'
import { reportOf } from './report.js'
import type { TuneResult } from './run.js'
import { TuneState } from './state.js'

/**
 * One run: stretches of native steps, and between them, always at the same steps, evaluations and checkpoints. What it does next depends on its state alone,
 * so a run that resumes does what it would have done.
 */
export class TuneSession {
  #state: TuneState
  readonly #rate = new RateMeter()
  readonly #started = performance.now()
  #secondsBefore = 0
  /** The step of the last checkpoint. */
  #savedAt = 0

  private constructor(
    private readonly model: Frozen,
    private readonly call: Call,
    private readonly options: ResolvedTune,
    private readonly data: { train: DataSet; validation: DataSet | undefined; references: References | undefined; summary: DataSummary },
    private readonly tuner: NativeTuner,
    private readonly tell: (event: TuneEvent) => void,
  ) {
    this.#state = new TuneState(options.steps)
  }

  /** Checks what can be checked before the work begins, reads the data, and makes the prompt to start from. */
  static async open(model: Frozen, call: Call, options: ResolvedTune, tell: (event: TuneEvent) => void): Promise<TuneSession> {
    call.signal?.throwIfAborted()
    if (options.checkpoint) await checkWritable(options.checkpoint.path, 'The checkpoint')
    const init = nativeInit(model, options)
    const limits = { maxInputLength: options.maxInputLength, maxTargetLength: options.maxTargetLength, signal: call.signal }
    const { train, validation } = await loadSets(model, options, limits)
    const summary = summarise(train, validation, (ids) => textOf(model, ids))
    const references = validation && referencesOf(model, train, validation)
    if (references) checkMetrics(options.metrics, references)
    const { length, steps, batchSize, shuffle, dropout, seed, loss, optimizer } = options
    const rest = { length, steps, batchSize, shuffle, dropout, seed, loss, optimizer, init }
    const tuner = await finish(call, () =>
      model.native.tuner({ inputs: tokenRows(train.inputs), targets: tokenRows(train.targets), ...rest }),
    )
    return new TuneSession(model, call, options, { train, validation, references, summary }, tuner, tell)
  }

  async run(): Promise<TuneResult> {
    try {
      await this.#resume()
      this.#tellStart()
      const reason = await this.#train()
      const result = await this.#result(this.call)
      this.tell({ type: 'end', step: this.#state.step, bestStep: result.report.bestStep, reason })
      return result
    } catch (error) {
      await this.#salvage(error)
      throw error
    }
  }

  async #train(): Promise<'steps' | 'patience'> {
    const { steps, evaluateEvery, checkpoint, patience } = this.options
    while (true) {
      const { step } = this.#state
      if (this.#evaluationDue()) await this.#evaluate()
      const over = step >= steps || (patience !== undefined && this.#state.worse >= patience)
      if (checkpoint && step > 0 && (over || step % checkpoint.every === 0) && this.#savedAt !== step) await this.#save(this.call)
      if (over) return step >= steps ? 'steps' : 'patience'
      const evaluation = this.data.validation ? nextMultiple(step, evaluateEvery) : steps
      await this.#steps(Math.min(steps, evaluation, checkpoint ? nextMultiple(step, checkpoint.every) : steps) - step)
    }
  }

  #evaluationDue(): boolean {
    const { step, evaluatedAt } = this.#state
    const due = step > 0 && (step % this.options.evaluateEvery === 0 || step === this.options.steps)
    return this.data.validation !== undefined && due && evaluatedAt !== step
  }

  async #steps(count: number): Promise<void> {
    this.#rate.start()
    await finish(this.call, () => this.tuner.run(count, (steps) => this.#tellSteps(steps)))
  }

  #tellSteps(done: NativeStep[]): void {
    const examples = done.reduce((sum, { examples }) => sum + examples, 0)
    this.#state.trainingSeconds += this.#rate.add(done.length, examples)
    const { examplesPerSecond } = this.#rate
    const rss = process.memoryUsage.rss()
    for (const native of done) {
      this.#state.add(native)
      this.#state.pace.add(native.step, { examplesPerSecond, rss })
      const { step, loss, learningRate, gradientNorm } = native
      const { steps } = this.options
      const pace = { examplesPerSecond, secondsLeft: this.#rate.secondsFor(steps - step) }
      this.tell({ type: 'step', step, steps, loss, learningRate, gradientNorm, ...pace })
    }
  }

  async #evaluate(): Promise<void> {
    const { model, call, options } = this
    const set = this.data.validation as DataSet
    const rows = await finish(call, () => this.tuner.prompt())
    const predictions = await predictTexts(model, call, set, toPrompt(rows))
    const scored = { ...(this.data.references as References), predictions }
    const metrics = await computeMetrics(options.metrics, scored)
    const best = this.#state.evaluated(metrics, options, rows, outcomeOf(scored))
    this.tell({ type: 'evaluation', step: this.#state.step, metrics, best })
  }

  async #save(call: Call): Promise<void> {
    const { path } = this.options.checkpoint as { path: string }
    this.#state.seconds = this.#seconds()
    await finish(call, () => this.tuner.save(path, this.#state.toNotes()))
    this.#savedAt = this.#state.step
    this.tell({ type: 'checkpoint', step: this.#state.step, path })
  }

  async #resume(): Promise<void> {
    const { checkpoint, resume, steps } = this.options
    if (!resume || !checkpoint || !existsSync(checkpoint.path)) return
    const notes = await finish(this.call, () => this.tuner.restore(checkpoint.path))
    this.#state = TuneState.fromNotes(notes, steps, checkpoint.path)
    this.#savedAt = this.#state.step
    this.#secondsBefore = this.#state.seconds
  }

  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#started) / 1000
  }

  async #result(call: Call): Promise<TuneResult> {
    const { model, options } = this
    this.#state.seconds = this.#seconds()
    const rows: NativePromptRows = this.#state.best?.prompt ?? (await finish(call, () => this.tuner.prompt()))
    const report = reportOf(options, this.#state, this.data.summary, { softprompt: VERSION, libtorch: model.libtorch })
    const metadata = promptMetadata(model, options, report, this.data.train)
    return { prompt: toPrompt(rows, metadata), report }
  }

  #tellStart(): void {
    const { model, options, data } = this
    this.tell({
      type: 'start',
      examples: data.train.inputs.length,
      validation: data.validation?.inputs.length ?? 0,
      promptRows: options.length,
      dModel: model.dModel,
      parameters: options.length * model.dModel,
      modelParameters: model.native.info.parameterCount,
      steps: options.steps,
      resumedFrom: this.#state.step,
      data: data.summary,
    })
  }

  // What was learned before an abort or a failure is not lost. The failure that ended the run stays the one to tell, so those in here are not.
  async #salvage(error: unknown): Promise<void> {
    const call: Call = { site: this.call.site }
    try {
      if (this.options.checkpoint && this.call.signal?.aborted && this.#state.step > this.#savedAt) await this.#save(call)
      if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) return
      // Not enumerable: it is no part of what a log prints of the error.
      Object.defineProperty(error, 'partial', { value: await this.#result(call), configurable: true, writable: true })
    } catch {}
  }
}

type References = Omit<Scored, 'predictions'>

async function loadSets(
  model: Frozen,
  options: ResolvedTune,
  limits: Limits,
): Promise<{ train: DataSet; validation: DataSet | undefined }> {
  const train = await loadSet(model, options.train, limits)
  if (options.validationSplit !== undefined) return splitSet(train, options.validationSplit, options.seed)
  return { train, validation: options.validation === undefined ? undefined : await loadSet(model, options.validation, limits) }
}

function referencesOf(model: Frozen, train: DataSet, validation: DataSet): References {
  const labels = labelsOf(model, [...train.targets, ...validation.targets])
  return references(model, validation, labels)
}

function toPrompt({ data, rows, dModel }: NativePromptRows, metadata: Record<string, string> = {}): SoftPrompt {
  return SoftPrompt.fromArray(data, { rows, dModel, metadata })
}

function nextMultiple(step: number, every: number): number {
  return (Math.floor(step / every) + 1) * every
}
