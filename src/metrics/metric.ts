/** A row that was predicted: its texts, and whatever other fields its source gave it ("group", "answers", an id). */
export interface MetricRow {
  /** As given; for token ids, what they decode to. */
  input: string
  /** What the answer should have been. */
  target: string
  [field: string]: unknown
}

/** What a metric gives: one number under its name, or several under names of their own. Finite. */
export type MetricResult = number | Record<string, number>

/** A measure of predictions against targets, row by row: at least one row, as many of each. Of more than one number, all by name. */
export type Metric = (
  predictions: readonly string[],
  targets: readonly string[],
  rows: readonly MetricRow[],
) => MetricResult | Promise<MetricResult>

/** A metric of one's own under a name. */
export interface MetricDefinition {
  /** What its number is called in `metrics`. */
  name: string
  /** The measure itself. */
  compute: Metric
  /** Whether the greater number is the better one. @defaultValue true */
  higherIsBetter?: boolean
}

/** Predictions with all that a metric may want to know about them. */
export interface Scored {
  predictions: readonly string[]
  targets: readonly string[]
  rows: readonly MetricRow[]
  /** Names a row in a message. */
  describe(row: number): string
  /** The outputs that are allowed; without it, the targets that occur. */
  labels?: readonly string[] | undefined
}

/** A metric that the package brings along. `argument` is what follows the colon in 'f1:yes'. */
export interface BuiltIn {
  compute(scored: Scored, argument: string | undefined): MetricResult | Promise<MetricResult>
  /** Throws DATA_METRIC_UNFIT where the targets are none that it can measure; so before any prediction is made. */
  check?(scored: Omit<Scored, 'predictions'>, argument: string | undefined): void
  higherIsBetter?: false
  takesArgument?: true
}
