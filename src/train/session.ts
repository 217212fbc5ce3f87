import { existsSync } from 'node:fs'
import { CheckpointError } from '../errors.js'
import { type Frozen, requireGradients } from '../frozen.js'
import { type Call, finish } from '../job.js'
import type { NativeTrainer, NativeTrainStep } from '../native.js'
import { nativeOptimizer, rateFactor } from '../options/model-optimizer.js'
import type { ResolvedTraining } from '../options/training.js'
import { tokenRows } from '../rows.js'
import { RateMeter } from '../tune/rate.js'
import type { Batch, Course, Learner } from './course.js'
import { TrainGuard } from './divergence.js'
import type { TrainEvent } from './events.js'
import { type TrainReport, trainReport, trainSettings } from './report.js'
import { type Identity, TrainState, type TrainStopReason } from './state.js'

export interface Trained<Data> {
  /** The copy that learned, with the weights of the best step. It is the caller's to dispose of. */
  model: Frozen
  report: TrainReport<Data>
}

/** What a run is of. */
export interface TrainCall<Data> {
  /** It stays as it is. */
  base: Frozen
  call: Call
  options: ResolvedTraining
  course: Course<Data>
  tell: (event: TrainEvent<Data>) => void
}

/**
 * The training of all parameters of a copy of a model, step by step; between steps, always at the same ones, evaluations and checkpoints. What it does next
 * depends on its state alone, so that what resumes does what it would have done.
 */
export class TrainSession<Data> {
  #state: TrainState
  readonly #learner: Learner
  readonly #rate = new RateMeter()
  /** Of tokens. */
  readonly #tokenRate = new RateMeter()
  readonly #started = performance.now()
  #secondsBefore = 0
  /** The step of the last checkpoint. */
  #savedAt = 0
  /** Aborts when the time is up. */
  #limit: AbortSignal | undefined
  /** The next ones, made beforehand. */
  readonly #batches: Promise<Batch | undefined>[] = []
  readonly #guard: TrainGuard

  private constructor(
    private readonly of: TrainCall<Data>,
    model: Frozen,
    private readonly trainer: NativeTrainer,
  ) {
    this.#state = new TrainState(of.options.steps)
    this.#learner = { model, trainer, call: of.call }
    const { call, options, tell } = of
    this.#guard = new TrainGuard({ call, options, trainer, tell, keep: () => this.#averaged(() => this.#keep()) })
  }

  /** Trains to the end. Where it fails after it began, the error's `partial` is what `wrap` makes of what was learned. */
  static async run<Data, Result>(of: TrainCall<Data>, wrap: (trained: Trained<Data>) => Result): Promise<Result> {
    const { base, call, options } = of
    call.signal?.throwIfAborted()
    const dtype = requireGradients(base, 'Training of all weights')
    const { threads, device } = base.native.info
    const native = await finish(call, () => base.native.trainable({ dtype: options.dtype ?? dtype, threads, device }))
    const model: Frozen = { ...base, native, name: base.name }
    try {
      const { steps, dropout, seed, microBatchSize, loss } = options
      const optimizer = nativeOptimizer(options.optimizer)
      const trainer = await finish(call, () => native.trainer({ steps, dropout, seed, microBatchSize, loss, optimizer }))
      return await new TrainSession(of, model, trainer).#run(wrap)
    } catch (error) {
      if (!hasPartial(error)) await native.dispose().catch(() => {})
      throw error
    }
  }

  async #run<Result>(wrap: (trained: Trained<Data>) => Result): Promise<Result> {
    const { course, options, tell } = this.of
    try {
      await this.#begin()
      const { step } = this.#state
      const parameters = this.#learner.model.native.info.parameterCount
      tell({ type: 'start', parameters, steps: options.steps, resumedFrom: step, data: course.data })
      await this.#train()
      const trained = await this.#result(this.of.call)
      const { steps, bestStep } = trained.report
      tell({ type: 'end', step: steps, bestStep, reason: this.#state.ended as TrainStopReason })
      return wrap(trained)
    } catch (error) {
      await this.#salvage(error, wrap)
      throw error
    } finally {
      course.close?.()
      if (options.checkpoint) await this.trainer.release().promise.catch(() => {})
    }
  }

  async #begin(): Promise<void> {
    const { call, course, options } = this.of
    const { checkpoint, resume, timeLimit, steps } = options
    if (checkpoint) await finish(call, () => this.trainer.claim(checkpoint.path))
    if (timeLimit !== undefined) this.#limit = AbortSignal.timeout(1000 * timeLimit)
    if (!resume || !checkpoint || !existsSync(checkpoint.path)) return this.#guard.begin(this.#state)
    const notes = await finish(call, () => this.trainer.restore(checkpoint.path))
    this.#state = TrainState.fromNotes(notes, this.#identity(), { steps, path: checkpoint.path })
    const { step, digest, seconds } = this.#state
    if ((await course.skip(step)) !== digest)
      throw new CheckpointError(
        'CHECKPOINT_MISMATCH',
        `The checkpoint ${checkpoint.path} is of a run on other data. Give what that run was given, another path, or leave 'resume' out.`,
      )
    this.#savedAt = step
    this.#secondsBefore = seconds
  }

  /** What a run that goes on from a checkpoint must have in common with the one that wrote it. */
  #identity(): Identity {
    const { base, course, options } = this.of
    const { batchSize, shuffle, seed, optimizer, loss, dropout } = trainSettings(options)
    return { model: base.fingerprint, ...course.settings, batchSize, shuffle, seed, optimizer, loss, dropout }
  }

  async #train(): Promise<void> {
    const { call, options } = this.of
    const { checkpoint } = options
    while (true) {
      await this.#between()
      const { step, ended } = this.#state
      if (checkpoint && step > 0 && (ended || step % checkpoint.every === 0) && this.#savedAt !== step) await this.#save(call)
      if (ended) break
      await this.#step()
    }
  }

  /** What is done between two steps. */
  async #between(): Promise<void> {
    const { options } = this.of
    const state = this.#state
    await this.#guard.look(state)
    if (state.ended) return
    if (this.#evaluationDue()) await this.#evaluate()
    if (state.step >= options.steps) state.ended = 'steps'
    else if (options.patience !== undefined && state.worse >= options.patience) state.ended = 'patience'
    else if (this.#limit?.aborted) state.ended = 'timeLimit'
  }

  async #step(): Promise<void> {
    const { call, course, options } = this.of
    const batch = await (this.#batches.shift() ?? course.next())
    if (!batch) return this.#endText()
    const signals = [call.signal, this.#limit].filter((signal) => signal !== undefined)
    const stoppable: Call = { site: call.site, signal: signals.length > 0 ? AbortSignal.any(signals) : undefined }
    const factor = this.#state.rateFactor * rateFactor(options.optimizer, this.#state.step + 1)
    this.#rate.start()
    this.#tokenRate.start()
    try {
      const step = finish(stoppable, () => this.trainer.step(tokenRows(batch.inputs), tokenRows(batch.targets), factor))
      this.#prepareNext()
      const done = await step
      if (done.diverged === undefined) this.#took(done, batch)
      else this.#diverged(done.diverged, batch)
    } catch (error) {
      if (!this.#limit?.aborted || call.signal?.aborted) throw error
    }
  }

  /** The next batch is made while a step is computed. What goes wrong with it is told when it is needed. */
  #prepareNext(): void {
    const { course, options } = this.of
    if (this.#batches.length > 0 || this.#state.step + 1 >= options.steps) return
    const next = course.next()
    next.catch(() => {})
    this.#batches.push(next)
  }

  async #endText(): Promise<void> {
    if (this.of.course.measure && this.#state.step > 0 && this.#state.evaluatedAt !== this.#state.step) await this.#evaluate()
    this.#state.ended = 'textEnded'
  }

  #took(native: NativeTrainStep, batch: Batch): void {
    const { steps } = this.of.options
    const { step, loss, learningRate, gradientNorm, examples, inputTokens, targetTokens } = native
    const state = this.#state
    state.trainingSeconds += this.#rate.add(1, examples)
    this.#tokenRate.add(1, inputTokens + targetTokens)
    state.add(native)
    state.digest = batch.digest
    const { examplesPerSecond } = this.#rate
    const tokensPerSecond = this.#tokenRate.examplesPerSecond
    state.pace.add(step, { examplesPerSecond, tokensPerSecond, rss: process.memoryUsage.rss() })
    const secondsLeft = this.#rate.secondsFor(steps - step)
    this.of.tell({ type: 'step', step, steps, loss, learningRate, gradientNorm, examplesPerSecond, tokensPerSecond, secondsLeft })
  }

  /** Where the run goes on, it takes this batch once more. */
  #diverged(what: string, batch: Batch): void {
    this.#guard.note(what)
    this.#batches.unshift(Promise.resolve(batch))
  }

  #evaluationDue(): boolean {
    const { options, course } = this.of
    const { step, evaluatedAt } = this.#state
    const due = step % options.evaluateEvery === 0 || step >= options.steps || this.#limit?.aborted === true
    return course.measure !== undefined && step > 0 && due && evaluatedAt !== step
  }

  async #evaluate(): Promise<void> {
    const { course, tell } = this.of
    const { step } = this.#state
    await this.#averaged(async () => {
      const { metrics, outcome } = await course.measure!(this.#learner)
      const best = this.#state.evaluated({ step, metrics, outcome }, course.ranking)
      if (best) await this.#keep()
      tell({ type: 'evaluation', step, metrics, best })
    })
  }

  #keep(): Promise<void> {
    return finish(this.of.call, () => this.trainer.keep())
  }

  /** `work` on the weights that are handed out: their moving average, where there is one. An abort does not come in between. */
  async #averaged(work: () => Promise<void>): Promise<void> {
    if (!this.#hasAverage) return work()
    const call: Call = { site: this.of.call.site }
    await finish(call, () => this.trainer.exchange())
    try {
      await work()
    } finally {
      await finish(call, () => this.trainer.exchange())
    }
  }

  get #hasAverage(): boolean {
    return this.of.options.optimizer.averageDecay > 0
  }

  async #save(call: Call): Promise<void> {
    const { path } = this.of.options.checkpoint as { path: string }
    this.#state.seconds = this.#seconds()
    await finish(call, () => this.trainer.save(path, this.#state.toNotes(this.#identity())))
    this.#savedAt = this.#state.step
    this.of.tell({ type: 'checkpoint', step: this.#state.step, path })
  }

  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#started) / 1000
  }

  async #result(call: Call): Promise<Trained<Data>> {
    const { base, course, options } = this.of
    const { model } = this.#learner
    this.#state.seconds = this.#seconds()
    const { kept, step } = this.#state
    if (kept !== undefined && (kept !== step || this.#hasAverage)) await finish(call, () => this.trainer.recall())
    else if (this.#hasAverage) await finish(call, () => this.trainer.exchange())
    const fingerprint = await finish(call, () => model.native.fingerprint())
    return { model: { ...model, fingerprint }, report: trainReport(base, options, course, this.#state) }
  }

  // What was learned before an abort or a failure is not lost. The failure that ended the run stays the one to tell, so those in here are not.
  async #salvage<Result>(error: unknown, wrap: (trained: Trained<Data>) => Result): Promise<void> {
    const call: Call = { site: this.of.call.site }
    const { step } = this.#state
    try {
      if (this.of.options.checkpoint && this.of.call.signal?.aborted && step > this.#savedAt) await this.#save(call)
      if (step === 0 || typeof error !== 'object' || error === null || !Object.isExtensible(error)) return
      Object.defineProperty(error, 'partial', { value: wrap(await this.#result(call)), configurable: true, writable: true })
    } catch {}
  }
}

function hasPartial(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { partial?: unknown }).partial !== undefined
}
