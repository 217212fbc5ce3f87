export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The standard deviation of a sample; 0 for a single value. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return 0
  const middle = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1))
}

/** How far the mean of `a` is above that of `b`: 0 where that is within two standard errors, or within half a point (of 100). */
export function above(a: readonly number[], b: readonly number[]): number {
  const difference = mean(a) - mean(b)
  const error = Math.sqrt(spread(a) ** 2 / a.length + spread(b) ** 2 / b.length)
  return Math.abs(difference) > Math.max(2 * error, 0.005) ? difference : 0
}

/** Place by place, the means over lists of one length: of tasks, seed by seed. */
export function averaged(lists: readonly (readonly number[])[]): number[] {
  return (lists[0] as readonly number[]).map((_, i) => mean(lists.map((list) => list[i] as number)))
}
