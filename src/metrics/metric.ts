/**
 * A measure of predictions against targets, row by row: at least one row, as many of the one as of the other. The greater the better. Several numbers go
 * under names of their own.
 */
export type Metric = (predictions: readonly string[], targets: readonly string[]) => number | Record<string, number>
