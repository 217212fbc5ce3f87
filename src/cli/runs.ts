import { OptionError } from '../errors.js'
import type { RunOptions } from '../options/tune.js'
import { lastLoss } from '../tune/result.js'
import type { RunResult, TuneResult } from '../tune/run.js'
import { metricsLine } from './output.js'

export interface RunFlags {
  out: string
  seeds?: number[]
  learningRates?: number[]
  tasks?: string[]
  shared?: number
}

/** A run for each pair of a seed and a rate; undefined where neither flag is given. */
export function runsOf({ seeds, learningRates }: RunFlags): RunOptions[] | undefined {
  if (!seeds && !learningRates) return undefined
  const rates = (learningRates ?? [undefined]).map((learningRate) => (learningRate === undefined ? {} : { learningRate }))
  return (seeds ?? [undefined]).flatMap((seed) => rates.map((rate) => ({ ...(seed !== undefined && { seed }), ...rate })))
}

const PLACES = /\{(seed|rate|task)\}/

/** Where the prompts go: with {seed}, {rate} or {task} in --out each run's to a file of its own, else the best one's alone. */
export function outPaths(flags: RunFlags): string[] {
  const { out, tasks } = flags
  if (tasks && !out.includes('{task}'))
    throw wrong("With --tasks every task's prompt is saved: put {task} into --out, as in prompt-{task}.safetensors.")
  if (!PLACES.test(out)) return [out]
  const runs = tasks?.map((task) => ({ task })) ?? runsOf(flags)
  if (!runs) throw wrong('{seed}, {rate} and {task} in --out are for several runs: give --seeds, --learning-rates or --tasks.')
  const paths = runs.map((run: { seed?: number; learningRate?: number; task?: string }) => {
    const bySeed = filled(out, 'seed', '--seeds', run.seed)
    return filled(filled(bySeed, 'rate', '--learning-rates', run.learningRate), 'task', '--tasks', run.task)
  })
  const twice = paths.find((path, i) => paths.indexOf(path) < i)
  if (twice !== undefined) throw wrong(`Several runs would be saved as ${twice}. Put both {seed} and {rate} into --out, or neither.`)
  return paths
}

function filled(path: string, name: string, flag: string, value: string | number | undefined): string {
  if (value === undefined && path.includes(`{${name}}`)) throw wrong(`{${name}} in --out needs ${flag}.`)
  return path.replaceAll(`{${name}}`, String(value))
}

function wrong(message: string): OptionError {
  return new OptionError('OPTION_INVALID', message)
}

/** The files of a result, each with its prompt. */
export function outputsOf(result: TuneResult, flags: RunFlags): { path: string; prompt: RunResult['prompt'] }[] {
  if (!PLACES.test(flags.out)) return [{ path: flags.out, prompt: result.prompt }]
  const paths = outPaths(flags)
  return result.runs.map(({ prompt }, run) => ({ path: paths[run] as string, prompt }))
}

/** A line a run: what is its own, how it went, and which is the best. */
export function runsTable({ report: best, runs }: TuneResult): string {
  const first = runs[0]?.task === undefined ? 'seed' : 'task'
  const head = [first, 'rate', 'steps', 'best step', best.bestMetric === null ? 'training loss' : 'validation', '']
  const rows = runs.map(({ report, task }) => [
    task ?? String(report.seed),
    String(report.options.optimizer.learningRate),
    String(report.steps),
    String(report.bestStep),
    report.bestMetric === null ? lastLoss(report).toFixed(3) : metricsLine(report.metrics),
    [report === best && first === 'seed' ? 'best' : '', report.stopped === 'steps' ? '' : String(report.stopped)]
      .filter(Boolean)
      .join(', '),
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
