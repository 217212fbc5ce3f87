import { ours } from './peers.mjs'
import { digitsOf, median } from './statistics.mjs'
import { printTable } from './table.mjs'

/** Where each sweep starts from; one of the four changes at a time. */
const BASE = { batch: 8, input: 64, prompt: 100, labels: 8 }

const SWEEPS = [
  { work: 'train', what: 'batch', values: [1, 2, 4, 8, 16, 32] },
  { work: 'train', what: 'input', values: [16, 32, 64, 128, 256, 512] },
  { work: 'train', what: 'prompt', values: [1, 20, 50, 100, 150, 300] },
  { work: 'classify', what: 'labels', values: [2, 4, 8, 16, 32, 77] },
]
const TITLES = { train: 'a training step', classify: 'classify' }
const TARGET = 4 // tokens of a target and of a label

/**
 * Seconds of softprompt's step over one size at a time. The last column is the slope between neighbours where both axes are logarithms: 1 is growth in proportion,
 * more is faster than that.
 */
export async function growth({ folder, threads }, options) {
  const dtype = options.trainingDtypes.at(-1)
  const process = ours(folder, dtype, threads, options)
  const tables = []
  try {
    const { vocabSize } = await process.ask('config')
    for (const { work, what, values } of SWEEPS) {
      const sizes = options.quick ? values.filter((_, i) => i % 2 === 1) : values
      const points = []
      for (const value of sizes) points.push({ value, seconds: await timed(process, work, { ...BASE, [what]: value }, vocabSize, options) })
      const rest = Object.entries(BASE).filter(([name]) => name !== what && (work === 'classify' || name !== 'labels'))
      const title = `${TITLES[work]} over ${what}; ${dtype}, ${rest.map(([name, value]) => `${name} ${value}`).join(', ')}`
      tables.push({ title, head: [what, 'seconds', 'slope'], rows: points.map((point, i) => row(point, points[i - 1])) })
      printTable(tables.at(-1))
    }
  } finally {
    await process.close()
  }
  return { tables }
}

function row({ value, seconds }, before) {
  const slope = before ? (Math.log(seconds / before.seconds) / Math.log(value / before.value)).toFixed(2) : ''
  return [value, seconds.toFixed(digitsOf(seconds)), slope]
}

async function timed(process, work, { batch, input, prompt, labels }, vocabSize, { rounds }) {
  const ids = (count, seed) => Array.from({ length: count }, (_, i) => 2 + ((7919 * (seed + 1) * (i + 1)) % (vocabSize - 2)))
  const inputs = Array.from({ length: batch }, (_, i) => ids(input, i))
  const request =
    work === 'train'
      ? { batches: [inputs.map((row, i) => ({ input: row, target: ids(TARGET, i) }))] }
      : { inputs, labels: Array.from({ length: labels }, (_, i) => ids(TARGET, batch + i)) }
  const seconds = []
  for (let round = 0; round <= rounds; round++) seconds.push((await process.ask(work, { ...request, length: prompt })).seconds)
  return median(seconds.slice(1))
}
