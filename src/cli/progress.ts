import { Presets, SingleBar } from 'cli-progress'
import pc from 'picocolors'
import type { SetSummary } from '../dataset.js'
import type { DivergenceEvent, EvaluationEvent, StartEvent, StepEvent, TuneEvent } from '../tune/events.js'
import { count, duration, metricsLine, note, percent } from './output.js'

/** Shows a tuning run on stderr. */
export interface ProgressView {
  show(event: TuneEvent): void
  /** Leaves the terminal as it should be; further events are not shown. */
  close(): void
}

/** A bar where stderr is a terminal, else a line now and then. */
export function progressView(): ProgressView {
  return process.stderr.isTTY ? new Bar() : new Lines()
}

const FORMAT = ` {bar} {value}/{total}  loss {loss}  {rate}  {left}  {metrics}`

class Bar implements ProgressView {
  #bar = new SingleBar(
    { format: FORMAT, stream: process.stderr, hideCursor: true, fps: 8, barsize: 20, gracefulExit: false },
    Presets.shades_classic,
  )
  #losses: number[] = []
  #metrics = ''
  #best = ''
  #open = false

  show(event: TuneEvent): void {
    if (event.type === 'start') tellData(event)
    if (event.type === 'start') this.#start(event.steps, event.resumedFrom)
    if (event.type === 'step') this.#bar.update(event.step, this.#payload(event))
    if (event.type === 'evaluation') this.#evaluated(event)
    if (event.type === 'end') this.close()
  }

  #start(steps: number, done: number): void {
    this.#bar.start(steps, done, { loss: '-', rate: '', left: '', metrics: '' })
    this.#open = true
  }

  #evaluated({ metrics, best }: EvaluationEvent): void {
    const line = metricsLine(metrics)
    if (best)
      this.#best = Object.values(metrics)
        .map((value) => percent(value))
        .join(', ')
    this.#metrics = best ? pc.green(line) : `${line} ${pc.dim(`(best ${this.#best})`)}`
    this.#bar.update({ metrics: this.#metrics })
  }

  #payload({ run = 0, loss, examplesPerSecond, secondsLeft }: StepEvent) {
    this.#losses[run] = loss
    const rate = `${examplesPerSecond.toFixed(0)} examples/s`
    return {
      loss: this.#losses.map((one) => one.toFixed(3)).join(' '),
      rate,
      left: `${duration(secondsLeft)} left`,
      metrics: this.#metrics,
    }
  }

  close(): void {
    if (this.#open) this.#bar.stop()
    this.#open = false
  }
}

class Lines implements ProgressView {
  /** A log of a run has some twenty lines, however long it is. */
  static readonly LINES = 20

  show(event: TuneEvent): void {
    if (event.type === 'start') {
      tellData(event)
      note(`tuning on ${count(event.examples)} examples, ${count(event.steps)} steps`)
    }
    if (event.type === 'step') this.#step(event)
    if (event.type === 'evaluation')
      note(`step ${event.step}${ofRun(event)}: validation ${metricsLine(event.metrics)}${event.best ? ' (best)' : ''}`)
    if (event.type === 'divergence') note(`step ${event.step}${ofRun(event)}: ${event.what}${rateOf(event)}`)
    if (event.type === 'checkpoint') note(`step ${event.step}: checkpoint ${event.path}`)
  }

  #step({ run, step, steps, loss, examplesPerSecond, secondsLeft }: StepEvent): void {
    if (step % Math.ceil(steps / Lines.LINES) !== 0 && step !== steps) return
    note(
      `step ${step}/${steps}${ofRun({ run })}: loss ${loss.toFixed(3)}, ${examplesPerSecond.toFixed(0)} examples/s, ${duration(secondsLeft)} left`,
    )
  }

  close(): void {}
}

function ofRun({ run }: { run?: number | undefined }): string {
  return run === undefined ? '' : `, run ${run}`
}

function rateOf({ rateFactor }: DivergenceEvent): string {
  return rateFactor === null ? '' : ` (going on at ${rateFactor} of the rate)`
}

/** What the data is like, and what to look at in it. */
function tellData({ data }: StartEvent): void {
  note(`training   ${describeSet(data.train)}`)
  if (data.validation) note(`validation ${describeSet(data.validation)}`)
  for (const { message } of data.warnings) note(`${pc.yellow('warning')}: ${message}`)
}

const SHOWN_LABELS = 8

function describeSet({ examples, inputTokens, targetTokens, labels }: SetSummary): string {
  const lengths = `inputs of ${inputTokens.min} to ${inputTokens.max} tokens (mean ${inputTokens.mean.toFixed(0)}), targets of ${targetTokens.min} to ${targetTokens.max}`
  const named = Object.entries(labels ?? {}).map(([label, rows]) => `${label} ${count(rows)}`)
  const rest = named.length > SHOWN_LABELS ? `, and ${named.length - SHOWN_LABELS} more` : ''
  const balance = labels ? `; ${named.length} label${named.length === 1 ? '' : 's'}: ${named.slice(0, SHOWN_LABELS).join(', ')}${rest}` : ''
  return `${count(examples)} examples, ${lengths}${balance}`
}
