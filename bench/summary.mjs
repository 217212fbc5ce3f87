import { digitsOf, median, quantile, spread } from './statistics.mjs'

const GIGA = 1e9
const quartiles = (values) => [0.25, 0.5, 0.75].map((q) => quantile(values, q))

/** Prints a result's lines and gives it with what they say: of each contender its rate, its ratio to `baseline` (round by round), its shares of the peaks. */
export function summary({ unit, contenders, peaks }, baseline) {
  const base = contenders.find(({ name, failed }) => name === baseline && !failed)
  if (peaks) {
    const { read, ...products } = peaks
    const each = Object.entries(products).map(([dtype, rate]) => `${dtype} ${(rate / GIGA).toFixed(0)}`)
    console.log(`  peaks: products ${each.join(', ')} GFLOP/s; a plain read ${(read / GIGA).toFixed(1)} GB/s`)
  }
  const done = contenders.map((entry) => (entry.failed ? entry : { ...entry, ...figures(entry, base, peaks) }))
  for (const entry of done) console.log(`  ${line(entry, unit)}`)
  return { unit, peaks, contenders: done }
}

function figures({ dtype, seconds, cpu, rates, flops, bytes, memory }, base, peaks) {
  const share = (samples, peak) => (peak && samples.length > 0 ? median(samples) / peak : undefined)
  return {
    rate: quartiles(rates),
    ratio: base && quartiles(seconds.map((own, round) => base.seconds[round] / own)),
    cpuRatio: base && median(cpu.map((own, round) => base.cpu[round] / own)),
    shareOfProducts: share(flops, peaks?.[dtype]),
    shareOfRead: share(bytes, peaks?.read),
    peakBytes: memory.peak - memory.before,
  }
}

function line({ name, failed, rates, ratio, cpuRatio, shareOfProducts, shareOfRead, peakBytes }, unit) {
  if (failed) return `${name}: ${failed.split('\n').at(-1)}`
  const shares = [
    [shareOfProducts, "the products' peak"],
    [shareOfRead, "a plain read's"],
  ].filter(([share]) => share !== undefined)
  const parts = [
    `${name.padEnd(40)} ${spread(rates, digitsOf(median(rates)))} ${unit}`,
    ratio && `x ${ratio[1].toFixed(2)} (${ratio[0].toFixed(2)}-${ratio[2].toFixed(2)}), ${cpuRatio.toFixed(2)} by processor time`,
    ...shares.map(([share, of]) => `${(100 * share).toFixed(0)} % of ${of}`),
    `peak ${(peakBytes / GIGA).toFixed(2)} GB`,
  ]
  return parts.filter(Boolean).join('   ')
}
