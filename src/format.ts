// Numbers as people read them, on the command line and in reports.

export function count(value: number): string {
  return value.toLocaleString('en-US')
}

export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`
}

/** 75 as '1:15', 4000 as '1:06:40'. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':')
}

export function bytes(size: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB']
  const unit = Math.min(units.length - 1, size < 1000 ? 0 : Math.floor(Math.log10(size) / 3))
  const value = size / 1000 ** unit
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`
}

/** Three digits. */
export function short(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

/** Metrics that are no shares, however small. */
const PLAIN = ['loss', 'perplexity']

/** Metrics are shares of 1 in the API and percentages for people; one of the user's own may be any number. */
export function metricValue(value: number, name?: string): string {
  return Math.abs(value) <= 1 && !PLAIN.includes(name as string) ? percent(value) : Number(value.toPrecision(4)).toLocaleString('en-US')
}

/** All metrics by name. */
export function metricsLine(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${metricValue(value, name)}`)
    .join(', ')
}
