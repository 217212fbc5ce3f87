import { TuneError } from '../errors.js'
import { type Call, finish } from '../job.js'
import type { NativeTuner } from '../native.js'
import type { OnDivergence, ResolvedTune } from '../options/tune.js'
import type { TuneEvent } from './events.js'
import { watchWindow } from './losses.js'
import type { RunState, TuneState } from './state.js'

/** How often a run may be set back before it stops. */
const SETBACKS = 3
const LOWER = 0.1

/** Whether a rising loss counts as a divergence too, and prompts are kept to go back to. */
export function isWatched({ onDivergence }: { onDivergence?: OnDivergence | undefined }): boolean {
  return onDivergence === 'stop' || onDivergence === 'lowerRate'
}

/** What the guard tells the session. */
interface Listener {
  tell(event: TuneEvent): void
  /** The run is over. */
  end(run: number): void
}

/**
 * Watches runs for losses that are not finite or keep rising, and sets back or ends those that diverge, as `onDivergence` says. Tasks that share rows go back
 * together, to the moment when the losses of all were lowest: the shared rows of one moment fit no other's.
 */
export class DivergenceGuard {
  /** What is wrong with runs that diverged in the last stretch. */
  readonly #diverged = new Map<number, string>()

  constructor(
    private readonly call: Call,
    private readonly options: ResolvedTune,
    private readonly tuner: NativeTuner,
    private readonly listener: Listener,
  ) {}

  /** Before the first step. */
  async begin(state: TuneState): Promise<void> {
    if (isWatched(this.options)) await this.#keepSafe(state, state.active())
  }

  /** A step of the run was not taken. */
  note(run: number, what: string): void {
    this.#diverged.set(run, what)
  }

  /** Between two stretches of steps. */
  async look(state: TuneState): Promise<void> {
    const due = isWatched(this.options) && state.step % watchWindow(this.options.steps) === 0
    if (due) await this.#closeWindows(state)
    const diverged = state.active().filter((run) => this.#diverged.has(run))
    if (diverged.length > 0) await this.#setBack(state, diverged)
    this.#diverged.clear()
  }

  async #closeWindows(state: TuneState): Promise<void> {
    const together = this.options.shared !== undefined
    if (together && state.watch.count > 0 && state.watch.close().isLowest) await this.#keepSafe(state, state.active())
    for (const run of state.active()) {
      const own = state.runs[run] as RunState
      if (this.#diverged.has(run) || own.watch.count === 0) continue
      const { mean, isLowest, isRising } = own.watch.close()
      const rate = own.rateFactor * this.options.runs[run]!.learningRate
      if (isLowest && !together) await this.#keepSafe(state, [run])
      if (isRising) this.note(run, risingLoss(mean, own.watch.lowest as number, state.step, rate))
    }
  }

  async #keepSafe(state: TuneState, runs: readonly number[]): Promise<void> {
    for (const run of runs) {
      const prompt = await finish(this.call, () => this.tuner.prompt(run))
      state.runs[run]!.safe = { step: state.step, prompt }
    }
  }

  /** Runs that diverged go on from an earlier prompt at a lower rate, or they stop. */
  async #setBack(state: TuneState, diverged: readonly number[]): Promise<void> {
    const together = this.options.shared !== undefined
    const before = new Map(diverged.map((run) => [run, this.#setbacks(state, run)]))
    for (const run of diverged) this.#tell(state, run, before.get(run) as number)
    const goOn = diverged.filter((run) => !state.runs[run]!.ended)
    const factor = Math.min(...goOn.map((run) => state.runs[run]!.rateFactor))
    for (const run of together && goOn.length > 0 ? state.active() : goOn) {
      const own = state.runs[run] as RunState
      if (together) own.rateFactor = factor
      own.watch.forget()
      const { prompt } = (together ? own.safe : (own.best ?? own.safe)) as NonNullable<RunState['safe']>
      await finish(this.call, () => this.tuner.reset(run, prompt))
    }
    if (together) state.watch.forget()
  }

  /** Of tasks that share rows, those of all: the steps at which one or more diverged. */
  #setbacks({ runs }: TuneState, run: number): number {
    if (this.options.shared === undefined) return runs[run]!.divergences.length
    return new Set(runs.flatMap(({ divergences }) => divergences.map(({ step, rateFactor }) => `${step} ${rateFactor}`))).size
  }

  #tell(state: TuneState, run: number, setbacks: number): void {
    const own = state.runs[run] as RunState
    const what = capital(this.#diverged.get(run) as string)
    const { onDivergence, several } = this.options
    const rateFactor = nextRateFactor(onDivergence ?? (several ? 'stop' : 'fail'), own.rateFactor, setbacks, what)
    const divergence = { step: state.step, what, rateFactor }
    own.divergences.push(divergence)
    this.listener.tell({ type: 'divergence', ...(this.options.several && { run }), ...divergence })
    if (rateFactor === null) this.listener.end(run)
    else own.rateFactor = rateFactor
  }
}

/** The factor of the rate that a run which diverged goes on with; null: it stops. Throws TUNE_DIVERGED where the call is to fail. */
export function nextRateFactor(policy: OnDivergence, rateFactor: number, setbacks: number, what: string): number | null {
  if (policy === 'fail') throw new TuneError('TUNE_DIVERGED', what)
  return policy === 'lowerRate' && setbacks < SETBACKS ? rateFactor * LOWER : null
}

/** What is wrong where a window of steps with this mean loss was the second in a row that is high. */
export function risingLoss(mean: number, lowest: number, step: number, rate: number): string {
  const seen = `the loss keeps rising: it was ${lowest.toFixed(2)} and is ${mean.toFixed(2)} at step ${step}`
  return `${seen} (learning rate ${rate}): try a learning rate a tenth of it, or a warm-up`
}

export function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
