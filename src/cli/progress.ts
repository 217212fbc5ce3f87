import { Presets, SingleBar } from 'cli-progress'
import pc from 'picocolors'
import type { SetSummary } from '../dataset.js'
import type { TextPart, TextSummary } from '../text/summary.js'
import type { AdaptEvent, FinetuneEvent } from '../train/runs.js'
import type { DivergenceEvent, EvaluationEvent, StepEvent, TuneEvent } from '../tune/events.js'
import { count, duration, metricsLine, metricValue, note, warningLine } from './output.js'

export type ShownEvent = TuneEvent | FinetuneEvent | AdaptEvent
type StartEvent = Extract<ShownEvent, { type: 'start' }>

/** Shows a training run on stderr. */
export interface ProgressView {
  show(event: ShownEvent): void
  /** Leaves the terminal as it should be; further events are not shown. */
  close(): void
}

/** A bar where stderr is a terminal, else (in the log of a CI, for one) a line every few seconds. */
export function progressView(): ProgressView {
  return process.stderr.isTTY ? new Bar() : new Lines()
}

const FORMAT = ` {bar} {value}/{total}  loss {loss}  {rate}  {left}  {metrics}`
const BAR_SIZE = 12
/** Columns of all but the bar's two numbers and the metrics, the loss and the rate being of the usual size. */
const FIXED = BAR_SIZE + 48
/** Of one more loss. */
const LOSS = 6

class Bar implements ProgressView {
  #bar = new SingleBar(
    { format: FORMAT, stream: process.stderr, hideCursor: true, fps: 8, barsize: BAR_SIZE, gracefulExit: false },
    Presets.shades_classic,
  )
  #losses: number[] = []
  #metrics = ''
  #best: Record<string, number> = {}
  #room = 0
  #open = false

  show(event: ShownEvent): void {
    if (event.type === 'start') tellData(event)
    if (event.type === 'start') this.#start(event)
    if (event.type === 'step') this.#bar.update(event.step, this.#payload(event))
    if (event.type === 'evaluation') this.#evaluated(event)
    if (event.type === 'end') this.close()
  }

  #start(event: StartEvent): void {
    const { steps, resumedFrom } = event
    const runs = 'runs' in event ? (event.runs ?? 1) : 1
    this.#room = (process.stderr.columns ?? 80) - FIXED - 2 * String(steps).length - LOSS * (runs - 1)
    this.#bar.start(steps, resumedFrom, { loss: '-', rate: '', left: '', metrics: '' })
    this.#open = true
  }

  #evaluated({ metrics, best }: EvaluationEvent): void {
    if (best) this.#best = metrics
    const text = fitting(metrics, this.#best, this.#room)
    this.#metrics = best ? pc.green(text) : text
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

/** As much of the metrics and of the best ones until now as there is room for: the first metric at least. */
function fitting(metrics: Record<string, number>, best: Record<string, number>, room: number): string {
  const first = Object.fromEntries(Object.entries(metrics).slice(0, 1))
  const beside = (shown: Record<string, number>) => {
    const values = Object.keys(shown).map((name) => metricValue(best[name] ?? Number.NaN, name))
    return `${metricsLine(shown)} (best ${values.join(', ')})`
  }
  const texts = [beside(metrics), metricsLine(metrics), beside(first), metricsLine(first)]
  return texts.find((text) => text.length <= room) ?? texts.at(-1)!
}

class Lines implements ProgressView {
  /** Seconds between lines; later in a long run they come more rarely, so that its log stays short. */
  static readonly INTERVAL = 5
  static readonly SHARE_OF_RUN = 1 / 50
  readonly #started = performance.now()
  #told = this.#started
  /** The last one that was told of. */
  #step = 0
  #metrics = ''

  show(event: ShownEvent): void {
    if (event.type === 'start') {
      tellData(event)
      const what = 'promptRows' in event ? `tuning on ${count(event.examples)} examples` : `training ${count(event.parameters)} parameters`
      note(`${what}, ${count(event.steps)} steps`)
    }
    if (event.type === 'step' && this.#due(event)) note(this.#line(event))
    if (event.type === 'evaluation') {
      this.#metrics = metricsLine(event.metrics)
      note(`step ${event.step}${ofRun(event)}: validation ${this.#metrics}${event.best ? ' (best)' : ''}`)
    }
    if (event.type === 'divergence') note(`step ${event.step}${ofRun(event)}: ${event.what}${rateOf(event)}`)
    if (event.type === 'checkpoint') note(`step ${event.step}: checkpoint ${event.path}`)
  }

  /** Of several runs, the lines of a step come together or not at all. */
  #due({ step, steps }: StepEvent): boolean {
    const now = performance.now()
    const interval = Math.max(1000 * Lines.INTERVAL, (now - this.#started) * Lines.SHARE_OF_RUN)
    if (step === this.#step) return true
    if (step !== 1 && step !== steps && now - this.#told < interval) return false
    this.#told = now
    this.#step = step
    return true
  }

  #line({ run, step, steps, loss, examplesPerSecond, secondsLeft }: StepEvent): string {
    const validation = this.#metrics === '' || run !== undefined ? '' : `, validation ${this.#metrics}`
    return `step ${step}/${steps}${ofRun({ run })}: loss ${loss.toFixed(3)}, ${examplesPerSecond.toFixed(0)} examples/s, ${duration(secondsLeft)} left${validation}`
  }

  close(): void {}
}

function ofRun(event: object): string {
  const { run } = event as { run?: number }
  return run === undefined ? '' : `, run ${run}`
}

function rateOf({ rateFactor }: Pick<DivergenceEvent, 'rateFactor'>): string {
  return rateFactor === null ? '' : ` (going on at ${rateFactor} of the rate)`
}

/** What the data is like, and what to look at in it. */
function tellData({ data }: StartEvent): void {
  const isText = 'windowTokens' in data
  const describe = isText ? describeText(data) : (describeSet as (part: SetSummary | TextPart) => string)
  note(`training   ${describe(data.train)}`)
  if (data.validation) note(`validation ${describe(data.validation)}`)
  for (const { message } of data.warnings) note(warningLine(message))
}

function describeText({ windowTokens }: TextSummary): (part: SetSummary | TextPart) => string {
  return (part) => {
    const { windows, documents, tokens } = part as TextPart
    if (windows === null) return `text that is read as it comes, in windows of ${windowTokens} tokens`
    return `${count(documents)} documents of ${count(tokens)} tokens, ${count(windows)} windows of ${windowTokens}`
  }
}

const SHOWN_LABELS = 8

function describeSet({ examples, inputTokens, targetTokens, labels }: SetSummary): string {
  const lengths = `inputs of ${inputTokens.min} to ${inputTokens.max} tokens (mean ${inputTokens.mean.toFixed(0)}), targets of ${targetTokens.min} to ${targetTokens.max}`
  const named = Object.entries(labels ?? {}).map(([label, rows]) => `${label} ${count(rows)}`)
  const rest = named.length > SHOWN_LABELS ? `, and ${named.length - SHOWN_LABELS} more` : ''
  const balance = labels ? `; ${named.length} label${named.length === 1 ? '' : 's'}: ${named.slice(0, SHOWN_LABELS).join(', ')}${rest}` : ''
  return `${count(examples)} examples, ${lengths}${balance}`
}
