/** The value below which the share `q` of `values` lies, between neighbours by their distance. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  const place = (sorted.length - 1) * q
  const below = Math.floor(place)
  const above = Math.ceil(place)
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below)
}

export const median = (values) => quantile(values, 0.5)

/** "123 (119-125)": the median, and the middle half. */
export function spread(values, digits = 1) {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(values, q).toFixed(digits))
  return `${middle} (${low}-${high})`
}

/** Three digits that count, but no fewer than the whole number: "0.412", "4.12", "41.2", "4120". */
export function digitsOf(value) {
  return Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))
}

/** The line through points (x, y) with the least squares: its slope, and the slope's standard error. */
export function leastSquares(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [middleX, middleY] = [mean(([x]) => x), mean(([, y]) => y)]
  const width = mean(([x]) => (x - middleX) ** 2)
  const slope = mean(([x, y]) => (x - middleX) * (y - middleY)) / width
  const left = mean(([x, y]) => (y - middleY - slope * (x - middleX)) ** 2)
  return { slope, error: Math.sqrt(left / width / (points.length - 2)) }
}
