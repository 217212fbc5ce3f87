import type { BuiltIn } from './metric.js'
import { meanOf, ngrams, overlap } from './text.js'

/** ROUGE-N (Lin 2004): F1 of the n-grams that prediction and target share, the mean over the rows; as rouge_score without a stemmer. */
export function rougeN(order: number): BuiltIn {
  const compute: BuiltIn['compute'] = (scored) =>
    meanOf(scored, (prediction, target) => {
      const [given, wanted] = [tokenize(prediction), tokenize(target)]
      const count = (tokens: readonly string[]) => Math.max(0, tokens.length - order + 1)
      return f1(overlap(ngrams(wanted, order), ngrams(given, order)), count(given), count(wanted))
    })
  return { compute }
}

/** ROUGE-L (Lin 2004): F1 of the longest common subsequence of words, the mean over the rows; as rouge_score's rougeL without a stemmer. */
export const rougeL: BuiltIn = {
  compute: (scored) =>
    meanOf(scored, (prediction, target) => {
      const [given, wanted] = [tokenize(prediction), tokenize(target)]
      return f1(longestCommonSubsequence(given, wanted), given.length, wanted.length)
    }),
}

function f1(shared: number, given: number, wanted: number): number {
  return shared === 0 ? 0 : (2 * shared) / (given + wanted)
}

function longestCommonSubsequence(a: readonly string[], b: readonly string[]): number {
  // One row of the table at a time: above[j] is the length for a's words before this one and b's first j.
  let above = new Uint32Array(b.length + 1)
  for (const word of a) {
    const row = new Uint32Array(b.length + 1)
    for (let j = 1; j <= b.length; j++) row[j] = word === b[j - 1] ? above[j - 1]! + 1 : Math.max(above[j]!, row[j - 1]!)
    above = row
  }
  return above[b.length]!
}

/** Runs of a to z and digits, in lower case; all else parts them. */
function tokenize(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? []
}
