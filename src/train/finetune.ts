import { createHash } from 'node:crypto'
import type { DataSet, DataSummary, ExampleSet } from '../dataset.js'
import { DataError } from '../errors.js'
import type { Frozen } from '../frozen.js'
import { computeMetrics, nameOf, type Scored } from '../metrics/index.js'
import type { ResolvedFinetune } from '../options/finetune.js'
import { predictTexts } from '../predict.js'
import { sentinelInFront } from '../sentinel.js'
import { outcomeOf } from '../tune/outcome.js'
import { loadTuneData, type RunData } from '../tune/sets.js'
import type { Batch, Course, Learner, Measured } from './course.js'
import { Order } from './order.js'

/** Examples in batches, and metrics of greedy outputs. */
export class FinetuneCourse implements Course<DataSummary> {
  readonly #order: Order
  readonly #digest: string
  #step = 0

  private constructor(
    private readonly options: ResolvedFinetune,
    readonly data: DataSummary,
    private readonly train: DataSet,
    private readonly tasks: readonly RunData[],
  ) {
    this.#order = new Order(train.inputs.length, options.seed, options.shuffle)
    this.#digest = digestOf(train)
  }

  /** Reads the data. */
  static async open(model: Frozen, options: ResolvedFinetune, signal: AbortSignal): Promise<FinetuneCourse> {
    const { tasks, sentinel } = options
    const runs = tasks?.map((task) => ({ task })) ?? [{}]
    const convert = sentinel ? sentinelInFront(model) : undefined
    const prepare = tasks && taskInFront
    const sets = { ...options, runs, ...(convert && { convert }), ...(prepare && { prepare }) }
    const { train, summary, runs: parts } = await loadTuneData(model, sets, signal)
    return new FinetuneCourse(options, summary, train, parts)
  }

  get ranking() {
    return this.options
  }

  get settings() {
    const { maxInputLength, maxTargetLength, metrics, bestMetric, validationSplit, tasks, sentinel } = this.options
    return {
      ...{ maxInputLength, maxTargetLength, metrics: metrics.map(nameOf), bestMetric },
      ...(validationSplit && { validationSplit }),
      ...(tasks && { tasks }),
      ...(sentinel && { sentinel }),
    }
  }

  async next(): Promise<Batch> {
    const { inputs, targets } = this.train
    const size = Math.min(this.options.batchSize, inputs.length)
    const rows = Array.from({ length: size }, (_, i) => this.#order.at(this.#step * size + i).row)
    this.#step += 1
    return { inputs: rows.map((row) => inputs[row]!), targets: rows.map((row) => targets[row]!), digest: this.#digest }
  }

  async skip(steps: number): Promise<string> {
    this.#step += steps
    return this.#digest
  }

  get measure() {
    return this.tasks[0]?.validation === undefined ? undefined : (learner: Learner) => this.#measure(learner)
  }

  async #measure({ model, call }: Learner): Promise<Measured> {
    const { tasks, metrics: choices } = this.options
    const scored: Scored[] = []
    for (const { validation, references } of this.tasks)
      scored.push({ ...references!, predictions: await predictTexts(model, call, validation!, null) })
    const found = await Promise.all(scored.map((one) => computeMetrics(choices, one)))
    const metrics = tasks ? withMeans(tasks, found) : found[0]!
    return { metrics, outcome: outcomeOf(scored.length === 1 ? scored[0]! : together(scored)) }
  }
}

/** Each task's metrics under its name, and first their means. */
function withMeans(tasks: readonly string[], found: readonly Record<string, number>[]): Record<string, number> {
  const names = Object.keys(found[0] as object).filter((name) => found.every((metrics) => name in metrics))
  const means = names.map((name) => [name, found.reduce((sum, metrics) => sum + (metrics[name] as number), 0) / found.length])
  const own = found.flatMap((metrics, i) => Object.entries(metrics).map(([name, value]) => [`${tasks[i]}.${name}`, value]))
  return Object.fromEntries([...means, ...own])
}

/** The rows of all tasks as one set without labels. */
function together(scored: readonly Scored[]): Scored {
  const places = scored.flatMap((one) => one.targets.map((_, row) => one.describe(row)))
  return {
    predictions: scored.flatMap(({ predictions }) => predictions),
    targets: scored.flatMap(({ targets }) => targets),
    rows: scored.flatMap(({ rows }) => rows),
    labels: undefined,
    describe: (row) => places[row] as string,
  }
}

function taskInFront(set: ExampleSet): ExampleSet {
  const examples = set.examples.map((example, row) => {
    const { task } = set.fields(row)
    // A row without a task is told of where rows are given to tasks.
    if (typeof task !== 'string') return example
    if (typeof example.input === 'string') return { ...example, input: `${task}: ${example.input}` }
    throw new DataError(
      'DATA_ROW_INVALID',
      `${set.describe(row)}: the input is token ids, in front of which the task's name cannot be put. Give text, or leave 'tasks' out.`,
    )
  })
  return { ...set, examples }
}

function digestOf({ inputs, targets }: DataSet): string {
  const hash = createHash('sha256')
  for (const ids of [...inputs, ...targets])
    hash.update(`${ids.length}:`).update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
  return hash.digest('hex')
}
