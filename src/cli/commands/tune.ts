import type { Command } from 'commander'
import pc from 'picocolors'
import { checkReadable } from '../../data/lines.js'
import { OptionError } from '../../errors.js'
import type { T5 } from '../../model.js'
import { type Init, resolveTune, type TuneOptions } from '../../options/tune.js'
import { SoftPrompt } from '../../prompt.js'
import { writeReport } from '../../report/write.js'
import type { PresetName } from '../../tune/presets.js'
import type { TuneReport } from '../../tune/report.js'
import type { TuneResult } from '../../tune/run.js'
import { checkWritable } from '../../writable.js'
import { type InitChoice, init, integer, integers, list, real, reals } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import {
  checkKeeping,
  evaluationOptions,
  exampleOptions,
  keepingOptions,
  type LearningFlags,
  metricOptions,
  stepOptions,
} from '../learning.js'
import { type ModelFlags, machineOptions, modelOption, withLoaded } from '../load.js'
import { bytes, count, duration, metricsLine, percent, print, warningLine } from '../output.js'
import { keepPartial } from '../partial.js'
import { progressView } from '../progress.js'
import { lossOf, optimizerOf, type RuleFlags, ruleOptions } from '../rule.js'
import { outPaths, outputsOf, type RunFlags, runsOf, runsTable } from '../runs.js'
import { type LengthFlags, lengthOptions, type SourceFlags, sourceOf, sourceOptions } from '../source.js'

interface TuneFlags extends ModelFlags, SourceFlags, LengthFlags, LearningFlags, RunFlags, RuleFlags {
  train: string
  validation?: string
  validationSplit?: number
  length?: number
  init?: InitChoice
  preset?: PresetName
  metric?: string[]
  bestMetric?: string
  sentinel?: boolean
  keep?: number
}

const EXAMPLES = `
Examples:
  softprompt tune --model models/nano-t5 --train train.jsonl --validation dev.jsonl --out task.safetensors
  softprompt tune --model models/nano-t5 --train train.jsonl --out task.safetensors --init labels:positive,negative --length 20
  softprompt tune ... --seeds 0,1,2 --out best.safetensors        three prompts in one pass; the best is saved
  softprompt tune ... --seeds 0,1,2 --out task-{seed}.safetensors  all of them are
  softprompt tune ... --tasks reviews,intents --out {task}.safetensors   a prompt for each, from rows with a task
  softprompt tune ... --checkpoint run.ckpt --resume          goes on where an earlier run of the same command stopped

Ctrl-C stops the run, saves the best prompt so far to --out and ends with exit code 130. With --json, stdout holds one event a line
({"type": "step", ...}) and at last {"type": "result", "out": ..., "report": ...}.`

export function tuneCommand(root: Command): void {
  const command = modelOption(root.command('tune'))
    .description('learn a soft prompt for a task from examples')
    .requiredOption('--train <F>', 'training examples: .jsonl, .json, .csv, .tsv or .parquet; - for standard input')
    .requiredOption(
      '-o, --out <P>',
      'where the prompt is saved: P.safetensors (or P.npy); with {seed}, {rate} or {task} in it, each run of several',
    )
  exampleOptions(command, 'prompt')
  sourceOptions(command)
  stepOptions(command, 'prompt')
    .option('--length <N>', 'rows of the prompt (default: 100)', integer)
    .option(
      '--init <how>',
      "start from vocabulary, uniform, uniform:low,high, labels:a,b, text:'some words', prompt:FILE or the mean of prompts, mean:FILE,FILE (default: vocabulary)",
      init,
    )
    .option('--seeds <a,b>', 'a run for each of these seeds, all in one pass over the same batches (drawn by --seed)', integers)
    .option('--learning-rates <x,y>', 'a run for each of these rates; with --seeds, for each pair', reals)
    .option('--preset <name>', 'fast or paper (default: fast)')
    .option('--learning-rate <X>', "instead of the preset's", real)
    .option('--dropout <X>', "in the frozen model, instead of the preset's", real)
    .option('--tasks <a,b>', 'a prompt for each of these tasks, which the rows name in their column task; in mixed batches', list)
    .option('--shared <N>', 'with --tasks: rows in front of each prompt that learn from all', integer)
  lengthOptions(command).option('--sentinel', 'targets begin with <extra_id_0>: for models trained by span corruption alone')
  ruleOptions(command)
  metricOptions(command, 'prompt')
  evaluationOptions(command, 'prompt')
  keepingOptions(command, { often: '; with --keep, as --evaluate-every' })
    .option('--keep <N>', 'keep the N best prompts (without validation the N latest) as CHECKPOINT-STEP.safetensors', integer)
    .addHelpText('after', EXAMPLES)
    .action((flags: TuneFlags) => interruptible((signal) => tune(flags, signal)))
  machineOptions(command)
}

async function tune(flags: TuneFlags, signal: AbortSignal): Promise<void> {
  const options = { ...(await optionsOf(flags)), signal }
  await checkBeforeLoading(flags, options)
  await withLoaded(flags, signal, async (t5) => {
    const result = await run(t5, flags, options)
    await save(t5, result, flags)
    if (flags.json) await print(JSON.stringify(jsonResult(result, flags)))
    else await print(summary(t5, result, flags))
  })
}

async function optionsOf(flags: TuneFlags): Promise<TuneOptions> {
  const optimizer = optimizerOf(flags)
  const learningRate = optimizer ? undefined : flags.learningRate
  const { validationSplit, steps, batchSize, seed, preset, dropout, evaluateEvery, bestMetric, patience } = flags
  const { maxInputLength, maxTargetLength, sentinel, resume, microBatchSize, timeLimit, onDivergence } = flags
  return {
    train: sourceOf(flags.train, flags),
    validation: flags.validation === undefined ? undefined : sourceOf(flags.validation, { ...flags, sample: undefined }),
    ...{ validationSplit, steps, batchSize, seed, preset, learningRate, dropout, evaluateEvery, bestMetric, patience },
    ...{
      maxInputLength,
      maxTargetLength,
      sentinel,
      resume,
      metrics: flags.metric,
      microBatchSize,
      timeLimit,
      onDivergence,
      runs: runsOf(flags),
    },
    ...{ optimizer, loss: lossOf(flags) },
    prompt: await promptOf(flags),
    checkpoint: checkpointOf(flags),
  }
}

function checkpointOf({ checkpoint, checkpointEvery, keep }: TuneFlags): TuneOptions['checkpoint'] {
  if (checkpoint !== undefined) return { path: checkpoint, every: checkpointEvery, keep }
  const alone = checkpointEvery !== undefined ? '--checkpoint-every' : keep !== undefined ? '--keep' : undefined
  if (alone) throw new OptionError('OPTION_INVALID', `${alone} is about checkpoints: give --checkpoint FILE too.`)
  return undefined
}

async function promptOf({ tasks, shared, length, init: choice }: TuneFlags): Promise<TuneOptions['prompt']> {
  const init = await initOf(choice)
  if (!tasks) return { length, init }
  return { tasks: Object.fromEntries(tasks.map((task) => [task, { length, init }])), shared }
}

async function initOf(choice: InitChoice | undefined): Promise<Init | undefined> {
  if (typeof choice !== 'object') return choice
  if ('prompt' in choice) return { prompt: await SoftPrompt.load(choice.prompt) }
  return 'mean' in choice ? { mean: await Promise.all(choice.mean.map((path) => SoftPrompt.load(path))) } : choice
}

/** A large model takes its time to load: what is wrong with the flags or the files is told before. */
async function checkBeforeLoading(flags: TuneFlags, options: TuneOptions): Promise<void> {
  resolveTune(options)
  for (const path of outPaths(flags)) await checkWritable(path, 'The prompt')
  await checkKeeping(flags)
  await checkReadable(flags.train)
  if (flags.validation !== undefined) await checkReadable(flags.validation)
}

/** The run to its end; after an interruption, saves what was learned until then and rejects. */
async function run(t5: T5, flags: TuneFlags, options: TuneOptions): Promise<TuneResult> {
  const tuning = t5.tune(options)
  const view = progressView()
  try {
    for await (const event of tuning) {
      if (flags.json) await print(JSON.stringify(event))
      else view.show(event)
    }
    return await tuning.result
  } catch (error) {
    view.close()
    await keepPartial(error, flags.out, (partial) => save(t5, partial, flags))
    throw error
  } finally {
    view.close()
  }
}

async function save(t5: T5, result: TuneResult, flags: TuneFlags): Promise<void> {
  for (const { path, prompt } of outputsOf(result, flags)) await prompt.save(path)
  if (flags.report) await writeReport(flags.report, result, { explanation: await t5.explain(result.prompt) })
}

function jsonResult(result: TuneResult, flags: TuneFlags) {
  const { report, runs } = result
  const paths = outputsOf(result, flags).map(({ path }) => path)
  const own = runs.map((run, i) => ({
    ...(run.task !== undefined && { task: run.task }),
    ...(paths.length === runs.length && { out: paths[i] }),
    report: run.report,
  }))
  return { type: 'result', out: bestPath(result, flags), report, ...((runsOf(flags) || flags.tasks) && { runs: own }) }
}

/** Where the best prompt is. */
function bestPath(result: TuneResult, flags: TuneFlags): string {
  return outputsOf(result, flags).find(({ prompt }) => prompt === result.prompt)!.path
}

function summary(t5: T5, result: TuneResult, flags: TuneFlags): string {
  const { prompt, report } = result
  const out = bestPath(result, flags)
  const others = outputsOf(result, flags).length - 1
  const learned = prompt.rows * prompt.dModel
  const share = percent(learned / t5.info.parameterCount, 3)
  const best = report.bestMetric === null ? '' : `, best at step ${report.bestStep}: validation ${metricsLine(report.metrics)}`
  const lines = [
    ...(runsOf(flags) || flags.tasks ? [runsTable(result)] : []),
    `${pc.green('done')} in ${duration(report.seconds)}: ${count(report.steps)} steps${ending(report.stopped)}${best}`,
    ...flatMetric(report),
    `saved ${pc.bold(out)}${others > 0 ? ` and ${others} more` : ''}: ${prompt.rows} x ${prompt.dModel} = ${count(learned)} numbers (${bytes(4 * learned)}), ${share} of the model's`,
    ...keptLine(result),
    `use it: softprompt generate --model ${flags.model} --prompt ${out} "..."`,
  ]
  return lines.join('\n')
}

function keptLine({ runs }: TuneResult): string[] {
  const kept = runs.flatMap(({ report }) => report.kept ?? [])
  if (kept.length === 0) return []
  const names = kept.slice(0, 3).map(({ path, metrics }) => path + (Object.keys(metrics).length > 0 ? ` (${metricsLine(metrics)})` : ''))
  return [`kept ${names.join(', ')}${kept.length > 3 ? ` and ${kept.length - 3} more` : ''}`]
}

/** A metric that told no evaluation from another has picked the first, which may have learned little. */
function flatMetric({ bestMetric, bestStep, history }: TuneReport): string[] {
  const values = new Set(history.map(({ metrics }) => metrics[bestMetric ?? '']))
  if (bestMetric === null || history.length < 2 || values.size > 1) return []
  const what = `${bestMetric} was the same at every evaluation, so the prompt is that of the first, step ${bestStep}`
  return [
    warningLine(
      `${what}. Train longer, choose by a metric that tells them apart (--metric), or leave the validation out to keep the last.`,
    ),
  ]
}

function ending(stopped: TuneReport['stopped']): string {
  if (stopped === 'timeLimit') return ' (the time was up)'
  return stopped === 'diverged' ? ' (stopped: it diverged)' : ''
}
