import type { BuiltIn } from './metric.js'
import { forRows, ngrams, overlap, words } from './text.js'

const ORDERS = [1, 2, 3, 4]

/**
 * BLEU of the whole set (Papineni et al. 2002), one reference a row: the geometric mean of the n-gram precisions up to 4, times the brevity penalty. Tokens as
 * WMT's mteval-v13a makes them; where no n-gram of an order is right, its precision is halved anew each time (NIST's smoothing). sacrebleu's default, over 100.
 */
export const bleu: BuiltIn = {
  compute: async (scored) => {
    const right = ORDERS.map(() => 0)
    const total = ORDERS.map(() => 0)
    const length = { given: 0, wanted: 0 }
    await forRows(scored, (prediction, target) => {
      const [given, wanted] = [tokenize(prediction), tokenize(target)]
      length.given += given.length
      length.wanted += wanted.length
      ORDERS.forEach((order, i) => {
        right[i]! += overlap(ngrams(given, order), ngrams(wanted, order))
        total[i]! += Math.max(0, given.length - order + 1)
      })
    })
    if (right[0] === 0 || total.at(-1) === 0) return 0
    const brevity = length.given < length.wanted ? Math.exp(1 - length.wanted / length.given) : 1
    return brevity * geometricMean(precisions(right, total))
  },
}

function precisions(right: readonly number[], total: readonly number[]): number[] {
  let smoothing = 1
  return right.map((count, i) => {
    if (count === 0) smoothing *= 2
    return (count === 0 ? 1 / smoothing : count) / total[i]!
  })
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

const ENTITIES: [string, string][] = [
  ['&quot;', '"'],
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
]

/** mteval-v13a: punctuation stands alone, but for full stops and commas within numbers, apostrophes, and hyphens that follow no digit. */
function tokenize(text: string): string[] {
  let line = text.trimEnd().replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ')
  for (const [entity, character] of ENTITIES) line = line.replaceAll(entity, character)
  const apart = ` ${line} `
    .replace(/([{-~[-` -&(-+:-@/])/g, ' $1 ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/g, '$1 $2 ')
  return words(apart)
}
