import { existsSync } from 'node:fs'
import { CheckpointError, TuneError } from '../errors.js'
import { type Frozen, requireGradients } from '../frozen.js'
import { type Call, finish } from '../job.js'
import type { NativeTrainer, NativeTrainStep } from '../native.js'
import { nativeOptimizer, rateFactor } from '../options/model-optimizer.js'
import type { ResolvedTraining } from '../options/training.js'
import { tokenRows } from '../rows.js'
import { capital } from '../tune/divergence.js'
import { RateMeter } from '../tune/rate.js'
import type { Batch, Course, Learner } from './course.js'
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
  #next: Promise<Batch | undefined> | undefined

  private constructor(
    private readonly of: TrainCall<Data>,
    model: Frozen,
    private readonly trainer: NativeTrainer,
  ) {
    this.#state = new TrainState(of.options.steps)
    this.#learner = { model, trainer, call: of.call }
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
    if (!resume || !checkpoint || !existsSync(checkpoint.path)) return
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
    if (state.ended) return
    if (this.#evaluationDue()) await this.#evaluate()
    if (state.step >= options.steps) state.ended = 'steps'
    else if (options.patience !== undefined && state.worse >= options.patience) state.ended = 'patience'
    else if (this.#limit?.aborted) state.ended = 'timeLimit'
  }

  async #step(): Promise<void> {
    const { call, course, options } = this.of
    const batch = await (this.#next ?? course.next())
    if (!batch) return this.#endText()
    const signals = [call.signal, this.#limit].filter((signal) => signal !== undefined)
    const stoppable: Call = { site: call.site, signal: signals.length > 0 ? AbortSignal.any(signals) : undefined }
    const factor = rateFactor(options.optimizer, this.#state.step + 1)
    this.#rate.start()
    this.#tokenRate.start()
    try {
      const step = finish(stoppable, () => this.trainer.step(tokenRows(batch.inputs), tokenRows(batch.targets), factor))
      this.#prepareNext()
      const done = await step
      if (done.diverged === undefined) this.#took(done, batch)
      else this.#diverged(done.diverged)
    } catch (error) {
      if (!this.#limit?.aborted || call.signal?.aborted) throw error
    }
  }

  /** The next batch is made while a step is computed. What goes wrong with it is told when it is needed. */
  #prepareNext(): void {
    const { course, options } = this.of
    this.#next = this.#state.step + 1 < options.steps ? course.next() : undefined
    this.#next?.catch(() => {})
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

  #diverged(seen: string): void {
    const what = capital(seen)
    if (this.of.options.onDivergence === 'fail') throw new TuneError('TUNE_DIVERGED', what)
    const { step } = this.#state
    this.#state.divergences.push({ step, what, rateFactor: null })
    this.of.tell({ type: 'divergence', step, what, rateFactor: null })
    this.#state.ended = 'diverged'
  }

  #evaluationDue(): boolean {
    const { options, course } = this.of
    const { step, evaluatedAt } = this.#state
    const due = step % options.evaluateEvery === 0 || step >= options.steps || this.#limit?.aborted === true
    return course.measure !== undefined && step > 0 && due && evaluatedAt !== step
  }

  async #evaluate(): Promise<void> {
    const { call, course } = this.of
    const { step } = this.#state
    const { metrics, outcome } = await course.measure!(this.#learner)
    const best = this.#state.evaluated({ step, metrics, outcome }, course.ranking)
    if (best) await finish(call, () => this.trainer.keep())
    this.of.tell({ type: 'evaluation', step, metrics, best })
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
    const { best, step } = this.#state
    if (best && best.step !== step) await finish(call, () => this.trainer.recall())
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
