import { OptionError } from '../errors.js'
import type { RunOptions } from '../options/tune.js'
import { lastLoss } from '../tune/result.js'
import type { RunResult, TuneResult } from '../tune/run.js'
import { metricsLine } from './output.js'

export interface RunFlags {
  out: string
  seeds?: number[]
  learningRates?: number[]
}

/** A run for each pair of a seed and a rate; undefined where neither flag is given. */
export function runsOf({ seeds, learningRates }: RunFlags): RunOptions[] | undefined {
  if (!seeds && !learningRates) return undefined
  const rates = (learningRates ?? [undefined]).map((learningRate) => (learningRate === undefined ? {} : { learningRate }))
  return (seeds ?? [undefined]).flatMap((seed) => rates.map((rate) => ({ ...(seed !== undefined && { seed }), ...rate })))
}

/** Where the prompts go: with {seed} or {rate} in --out each run's to a file of its own, else the best one's alone. */
export function outPaths(flags: RunFlags): string[] {
  const runs = runsOf(flags)
  if (!/\{(seed|rate)\}/.test(flags.out)) return [flags.out]
  if (!runs) throw new OptionError('OPTION_INVALID', '{seed} and {rate} in --out are for several runs: give --seeds or --learning-rates.')
  const paths = runs.map(({ seed, learningRate }) => filled(filled(flags.out, 'seed', seed), 'rate', learningRate))
  const twice = paths.find((path, i) => paths.indexOf(path) < i)
  if (twice !== undefined)
    throw new OptionError('OPTION_INVALID', `Several runs would be saved as ${twice}. Put both {seed} and {rate} into --out, or neither.`)
  return paths
}

function filled(path: string, name: string, value: number | undefined): string {
  if (value === undefined && path.includes(`{${name}}`))
    throw new OptionError('OPTION_INVALID', `{${name}} in --out needs --${name === 'seed' ? 'seeds' : 'learning-rates'}.`)
  return path.replaceAll(`{${name}}`, String(value))
}

/** The files of a result, each with its prompt. */
export function outputsOf(result: TuneResult, flags: RunFlags): { path: string; prompt: RunResult['prompt'] }[] {
  const paths = outPaths(flags)
  if (paths.length === 1 && !/\{(seed|rate)\}/.test(flags.out)) return [{ path: flags.out, prompt: result.prompt }]
  return result.runs.map(({ prompt }, run) => ({ path: paths[run] as string, prompt }))
}

/** A line a run: what is its own, how it went, and which is the best. */
export function runsTable({ report: best, runs }: TuneResult): string {
  const head = ['seed', 'rate', 'steps', 'best step', best.bestMetric === null ? 'training loss' : 'validation', '']
  const rows = runs.map(({ report }) => [
    String(report.seed),
    String(report.options.optimizer.learningRate),
    String(report.steps),
    String(report.bestStep),
    report.bestMetric === null ? lastLoss(report).toFixed(3) : metricsLine(report.metrics),
    [report === best ? 'best' : '', report.stopped === 'steps' ? '' : String(report.stopped)].filter(Boolean).join(', '),
  ])
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)))
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
