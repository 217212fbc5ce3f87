import { existsSync } from 'node:fs'
import { TuneError } from '../errors.js'
import { type Frozen, requireGradients } from '../frozen.js'
import { type Call, finish } from '../job.js'
import { computeMetrics } from '../metrics/index.js'
import type { NativePromptRows, NativeStep, NativeTuner } from '../native.js'
import type { ResolvedRun, ResolvedTune } from '../options/tune.js'
import { predictTexts } from '../predict.js'
import { SoftPrompt } from '../prompt.js'
import { tokenRows } from '../rows.js'
import { sentinelInFront } from '../sentinel.js'
import { VERSION } from '../version.js'
import { checkWritable } from '../writable.js'
import { DivergenceGuard, isWatched } from './divergence.js'
import type { TuneEvent } from './events.js'
import { nativeInit } from './init.js'
import { PromptKeeper } from './keep.js'
import { keptPath } from './kept-path.js'
import { watchWindow } from './losses.js'
import { promptMetadata } from './metadata.js'
import { outcomeOf } from './outcome.js'
import { RateMeter } from './rate.js'
import { reportOf } from './report.js'
import { bestRun } from './result.js'
import type { RunResult, TuneResult } from './run.js'
import { loadTuneData, type RunData, type TuneData } from './sets.js'
import { startEvent } from './start.js'
import { type RunState, type StopReason, TuneState } from './state.js'

/**
 * One call of `tune`, with one or more runs over the same batches: stretches of native steps, and between them, always at the same steps, evaluations and
 * checkpoints. What it does next depends on its state alone, so that what resumes does what it would have done.
 */
export class TuneSession {
  #state: TuneState
  readonly #rate = new RateMeter()
  readonly #started = performance.now()
  #secondsBefore = 0
  /** The step of the last checkpoint. */
  #savedAt = 0
  /** Aborts when the time is up. */
  #limit: AbortSignal | undefined
  readonly #guard: DivergenceGuard
  readonly #keeper: PromptKeeper

  private constructor(
    private readonly model: Frozen,
    private readonly call: Call,
    private readonly options: ResolvedTune,
    private readonly data: TuneData,
    private readonly tuner: NativeTuner,
    private readonly tell: (event: TuneEvent) => void,
  ) {
    this.#state = TuneState.fresh(options.runs.length, options.steps)
    this.#keeper = new PromptKeeper(model, options, data)
    this.#guard = new DivergenceGuard(call, options, tuner, { tell, end: (run) => this.#end(run, 'diverged') })
  }

  /** Checks what can be checked before the work begins, reads the data, and makes the prompts to start from. */
  static async open(model: Frozen, call: Call, options: ResolvedTune, tell: (event: TuneEvent) => void): Promise<TuneSession> {
    call.signal?.throwIfAborted()
    requireGradients(model, 'tune')
    if (options.checkpoint) await checkWritable(options.checkpoint.path, 'The checkpoint')
    const native = (run: ResolvedRun) => ({ ...run, init: nativeInit(model, run) })
    const runs = options.runs.map(native)
    const shared = options.shared && native(options.shared)
    const convert = options.sentinel ? sentinelInFront(model) : undefined
    const data = await loadTuneData(model, { ...options, ...(convert && { convert }) }, call.signal)
    const { steps, batchSize, microBatchSize, shuffle, dropout, seed, loss, optimizer } = options
    const { inputs, targets } = data.train
    const rest = { steps, batchSize, microBatchSize, shuffle, dropout, seed, loss, optimizer, runs, ...(shared && { shared }) }
    const ofRows = data.runOfRow && { runOfRow: data.runOfRow }
    const tuner = await finish(call, () =>
      model.native.tuner({ inputs: tokenRows(inputs), targets: tokenRows(targets), ...rest, ...ofRows }),
    )
    return new TuneSession(model, call, options, data, tuner, tell)
  }

  async run(): Promise<TuneResult> {
    try {
      await this.#begin()
      this.tell(startEvent(this.model, this.options, this.data, this.#state.step))
      await this.#train()
      const result = await this.#result(this.call)
      this.#tellEnd(result)
      return result
    } catch (error) {
      await this.#salvage(error)
      throw error
    } finally {
      // The model may be gone, and its locks with it.
      if (this.options.checkpoint) await this.tuner.release().promise.catch(() => {})
    }
  }

  async #begin(): Promise<void> {
    const { checkpoint, resume, steps, timeLimit } = this.options
    if (checkpoint) await finish(this.call, () => this.tuner.claim(checkpoint.path))
    if (timeLimit !== undefined) this.#limit = AbortSignal.timeout(1000 * timeLimit)
    if (!resume || !checkpoint || !existsSync(checkpoint.path)) {
      await this.#guard.begin(this.#state)
      return
    }
    const notes = await finish(this.call, () => this.tuner.restore(checkpoint.path))
    this.#state = TuneState.fromNotes(notes, steps, checkpoint.path)
    this.#savedAt = this.#state.step
    this.#secondsBefore = this.#state.seconds
    await this.#keeper.sweep(this.#state)
  }

  async #train(): Promise<void> {
    const { checkpoint, onDivergence } = this.options
    while (true) {
      const { step } = this.#state
      await this.#guard.look(this.#state)
      for (const run of this.#state.active()) await this.#between(run)
      const over = this.#state.active().length === 0
      if (checkpoint && step > 0 && (over || step % checkpoint.every === 0) && this.#savedAt !== step) await this.#save(this.call)
      if (over) break
      await this.#steps(this.#nextStop() - step)
    }
    const diverged = this.#state.runs.every(({ ended }) => ended?.reason === 'diverged')
    if (diverged && onDivergence === undefined) throw new TuneError('TUNE_DIVERGED', this.#state.runs[0]!.divergences.at(-1)!.what)
  }

  /** What a run does between two stretches. */
  async #between(run: number): Promise<void> {
    const { steps, patience } = this.options
    const { step } = this.#state
    const state = this.#state.runs[run] as RunState
    if (this.#evaluationDue(state)) await this.#evaluate(run)
    if (step >= steps) this.#end(run, 'steps')
    else if (patience !== undefined && state.worse >= patience) this.#end(run, 'patience')
    else if (this.#limit?.aborted) this.#end(run, 'timeLimit')
  }

  #end(run: number, reason: StopReason): void {
    const { step, runs } = this.#state
    const state = runs[run] as RunState
    state.ended = { step, reason }
    if (this.options.several) this.tell({ type: 'runEnd', run, step, bestStep: state.best?.step ?? step, reason })
  }

  #nextStop(): number {
    const { steps, evaluateEvery, checkpoint } = this.options
    const { step } = this.#state
    const every = [this.data.validation && evaluateEvery, checkpoint?.every, isWatched(this.options) ? watchWindow(steps) : undefined]
    return Math.min(steps, ...every.map((count) => (count === undefined ? steps : nextMultiple(step, count))))
  }

  async #steps(count: number): Promise<void> {
    const active = this.#state.active().map((run) => ({ run, rateFactor: this.#state.runs[run]!.rateFactor }))
    const signals = [this.call.signal, this.#limit].filter((signal) => signal !== undefined)
    const call: Call = { site: this.call.site, signal: signals.length > 0 ? AbortSignal.any(signals) : undefined }
    this.#rate.start()
    try {
      await finish(call, () => this.tuner.run(count, active, (steps) => this.#tellSteps(steps)))
    } catch (error) {
      if (!this.#limit?.aborted || this.call.signal?.aborted) throw error
    }
  }

  #tellSteps(done: NativeStep[]): void {
    const before = this.#state.step
    const taken = done.filter(({ diverged }) => diverged === undefined)
    for (const { run, diverged } of done) if (diverged !== undefined) this.#guard.note(run, diverged)
    const examples = taken.reduce((sum, { examples }) => sum + examples, 0)
    this.#state.trainingSeconds += this.#rate.add((taken.at(-1)?.step ?? before) - before, examples)
    const { examplesPerSecond } = this.#rate
    const pace = { examplesPerSecond, rss: process.memoryUsage.rss() }
    for (const step of new Set(taken.map(({ step }) => step))) this.#state.pace.add(step, pace)
    for (const native of taken) {
      this.#state.add(native)
      if (native.examples === 0) continue
      const { run, step, loss, learningRate, gradientNorm } = native
      const { steps } = this.options
      const secondsLeft = this.#rate.secondsFor(steps - step)
      this.tell({ type: 'step', ...this.#named(run), step, steps, loss, learningRate, gradientNorm, examplesPerSecond, secondsLeft })
    }
  }

  #evaluationDue({ evaluatedAt }: RunState): boolean {
    const { step } = this.#state
    const due = step % this.options.evaluateEvery === 0 || step === this.options.steps || this.#limit?.aborted
    return this.data.validation !== undefined && step > 0 && due === true && evaluatedAt !== step
  }

  async #evaluate(run: number): Promise<void> {
    const { model, call, options } = this
    const { step } = this.#state
    const { validation, references } = this.data.runs[run] as Required<RunData>
    const rows = await finish(call, () => this.tuner.prompt(run))
    const predictions = await predictTexts(model, call, validation!, toPrompt(rows))
    const scored = { ...references!, predictions }
    const metrics = await computeMetrics(options.metrics, scored)
    const best = this.#state.runs[run]!.evaluated({ step, metrics, prompt: rows, outcome: outcomeOf(scored) }, options)
    await this.#keeper.offer(this.#state, run, rows, metrics)
    this.tell({ type: 'evaluation', ...this.#named(run), step, metrics, best })
  }

  async #save(call: Call): Promise<void> {
    const { path, keep } = this.options.checkpoint as { path: string; keep?: number }
    const { step, runs } = this.#state
    if (keep !== undefined && !this.data.validation) await this.#offerLatest(call)
    this.#state.seconds = this.#seconds()
    await finish(call, () => this.tuner.save(path, this.#state.toNotes()))
    this.#savedAt = step
    await this.#keeper.sweep(this.#state)
    const kept = runs.flatMap(({ saved }, run) => saved.map((one) => keptPath(this.options, run, one.step)))
    this.tell({ type: 'checkpoint', step, path, ...(keep !== undefined && { kept }) })
  }

  async #offerLatest(call: Call): Promise<void> {
    const { step, runs } = this.#state
    for (const [run, { ended }] of runs.entries()) {
      if (ended !== undefined && ended.step !== step) continue
      const rows = await finish(call, () => this.tuner.prompt(run))
      await this.#keeper.offer(this.#state, run, rows, {})
    }
  }

  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#started) / 1000
  }

  async #result(call: Call): Promise<TuneResult> {
    this.#state.seconds = this.#seconds()
    const runs: RunResult[] = []
    for (const run of this.options.runs.keys()) runs.push(await this.#runResult(call, run))
    // Metrics of different tasks say nothing about which is better.
    const best = this.data.runOfRow ? 0 : bestRun(runs, this.options)
    return { ...(runs[best] as RunResult), runs }
  }

  async #runResult(call: Call, run: number): Promise<RunResult> {
    const { model, options, data } = this
    const own = options.runs[run]!
    const kept = this.#state.runs[run]!.kept
    const rows = kept?.prompt ?? (await finish(call, () => this.tuner.prompt(run)))
    const report = reportOf(options, run, this.#state, data.summary, { softprompt: VERSION, libtorch: model.libtorch })
    const metadata = promptMetadata(model, options, { ...own, length: rows.rows }, report, data.runs[run]!.train)
    return { ...(own.task !== undefined && { task: own.task }), prompt: toPrompt(rows, metadata), report }
  }

  /** An event names its run where there are several. */
  #named(run: number): { run?: number } {
    return this.options.several ? { run } : {}
  }

  #tellEnd({ report, runs }: TuneResult): void {
    const { steps: step, bestStep } = report
    const run = runs.findIndex((one) => one.report === report)
    this.tell({ type: 'end', ...this.#named(run), step, bestStep, reason: report.stopped as StopReason })
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

function toPrompt({ data, rows, dModel }: NativePromptRows, metadata: Record<string, string> = {}): SoftPrompt {
  return SoftPrompt.fromArray(data, { rows, dModel, metadata })
}

function nextMultiple(step: number, every: number): number {
  return (Math.floor(step / every) + 1) * every
}
