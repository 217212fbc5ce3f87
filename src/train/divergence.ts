import { type Call, finish } from '../job.js'
import type { NativeTrainer } from '../native.js'
import type { ResolvedTraining } from '../options/training.js'
import { capital, isWatched, nextRateFactor, risingLoss } from '../tune/divergence.js'
import type { DivergenceEvent } from '../tune/events.js'
import { watchWindow } from '../tune/losses.js'
import type { TrainState } from './state.js'

/** What the guard asks of its session. */
interface Session {
  call: Call
  options: ResolvedTraining
  trainer: NativeTrainer
  /** The weights of now are those to go back to. */
  keep(): Promise<void>
  tell(event: Omit<DivergenceEvent, 'run'>): void
}

/** Watches the training of a model for a loss that is not finite or keeps rising, and sets it back or ends it, as `onDivergence` says. */
export class TrainGuard {
  #seen: string | undefined

  constructor(private readonly session: Session) {}

  /** Before the first step. */
  async begin(state: TrainState): Promise<void> {
    if (isWatched(this.session.options)) await this.#keepSafe(state)
  }

  /** A step was not taken. */
  note(what: string): void {
    this.#seen = what
  }

  /** Between two steps. */
  async look(state: TrainState): Promise<void> {
    const { options } = this.session
    const due = isWatched(options) && state.watch.count > 0 && state.step % watchWindow(options.steps) === 0
    if (due) await this.#closeWindow(state)
    const seen = this.#seen
    this.#seen = undefined
    if (seen !== undefined) await this.#setBack(state, capital(seen))
  }

  async #closeWindow(state: TrainState): Promise<void> {
    const { mean, isLowest, isRising } = state.watch.close()
    if (isLowest) await this.#keepSafe(state)
    const rate = state.rateFactor * this.session.options.optimizer.learningRate
    if (isRising) this.#seen ??= risingLoss(mean, state.watch.lowest as number, state.step, rate)
  }

  /** Only one set of weights is kept: where some were measured, the best of these. */
  async #keepSafe(state: TrainState): Promise<void> {
    if (state.best) return
    await this.session.keep()
    state.safe = state.step
  }

  async #setBack(state: TrainState, what: string): Promise<void> {
    const { call, options, trainer, tell } = this.session
    const rateFactor = nextRateFactor(options.onDivergence, state.rateFactor, state.divergences.length, what)
    const divergence = { step: state.step, what, rateFactor }
    state.divergences.push(divergence)
    tell({ type: 'divergence', ...divergence })
    if (rateFactor === null) {
      state.ended = 'diverged'
      return
    }
    state.rateFactor = rateFactor
    state.watch.forget()
    await finish(call, () => trainer.setBack())
  }
}
