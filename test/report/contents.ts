import { type Explanation, SoftPrompt, type TuneReport, type TuneResult } from '../../src/index.js'
import { outcomeOf } from '../../src/tune/outcome.js'

/** Text that must stay text. */
export const HOSTILE = `<script>alert("1")</script><img src=x onerror='alert(2)'>&amp; \u0007\ud800 \u202eabc`

export function scored(labels: readonly string[] | undefined, targets: readonly string[], predictions: readonly string[]) {
  const rows = targets.map((target, i) => ({ input: `${HOSTILE} ${i}`, target }))
  return { labels, targets, predictions, rows, describe: (row: number) => `dev.jsonl, line ${row + 1}` }
}

/** A report as a run of `steps` steps makes it; whatever is in `changes` is otherwise. */
export function reportOf(steps: number, changes: Partial<TuneReport> = {}): TuneReport {
  const each = Array.from({ length: Math.min(steps, 500) }, (_, i) => Math.ceil(((i + 1) * steps) / Math.min(steps, 500)))
  const evaluated = [0.25, 0.5, 0.75, 1].map((share) => Math.ceil(share * steps))
  const lengths = { min: 2, mean: 9.5, p95: 14, max: 20 }
  const labels = { [HOSTILE]: 70, weather: 30 }
  const set = { examples: 100, inputTokens: lengths, targetTokens: lengths, cutInputs: 1, cutTargets: 0, duplicates: 2, labels }
  const targets = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? HOSTILE : 'weather'))
  const predictions = targets.map((target, i) => (i % 5 === 0 ? 'no such label' : i % 7 === 0 ? 'weather' : target))
  return {
    steps,
    stopped: 'steps',
    divergences: [],
    bestStep: evaluated[2]!,
    bestMetric: 'accuracy',
    metrics: { accuracy: 0.75, macroF1: 0.7 },
    history: evaluated.map((step, i) => ({ step, metrics: { accuracy: i / 4, macroF1: i / 5 } })),
    outcome: outcomeOf(scored([HOSTILE, 'weather'], targets, predictions)),
    losses: each.map((step) => ({ step, loss: 5 / step, learningRate: 1 - step / (steps + 1), gradientNorm: 10 ** (3 - step / steps) })),
    pace: each.map((step) => ({ step, examplesPerSecond: 60 + (step % 3), rss: 2e8 + step })),
    peakRss: 3e8,
    seconds: 75,
    examplesPerSecond: 61,
    options: {
      ...{ preset: 'fast', steps, batchSize: 32, length: 4, shuffle: true, dropout: 0, seed: 0, maxInputLength: 512, maxTargetLength: 128 },
      ...{ loss: { reduction: 'sum', zLoss: 0, labelSmoothing: 0 }, init: { labels: [HOSTILE, 'weather'] } },
      ...{ optimizer: { name: 'adafactor', learningRate: 1 }, evaluateEvery: 1, metrics: ['accuracy', 'macroF1'], bestMetric: 'accuracy' },
    },
    seed: 0,
    data: { train: set, validation: set, warnings: [{ code: 'cutInputs', count: 1, message: `1 input was cut in ${HOSTILE}.` }] },
    versions: { softprompt: '1', libtorch: '2', node: '20' },
    ...changes,
  }
}

export function resultOf(report: TuneReport, others: readonly TuneReport[] = []): TuneResult {
  const data = Float32Array.from({ length: 8 }, (_, i) => Math.sin(i))
  const prompt = SoftPrompt.fromArray(data, { rows: 4, dModel: 2, metadata: { task: HOSTILE, model: 'nano' } })
  return { prompt, report, runs: [report, ...others].map((each) => ({ prompt, report: each })) }
}

export function explanationOf(rows: number): Explanation {
  const row = (i: number) => ({
    norm: i + 1,
    nearest: [
      { id: 5, token: HOSTILE, similarity: 0.5 },
      { id: 6, token: undefined, similarity: 0.25 },
    ],
    drift: { distance: 2, similarity: 0.9 },
    effect: 0.1,
  })
  return { rows: Array.from({ length: rows }, (_, i) => row(i)), from: 'start', logProb: -1.5 }
}
