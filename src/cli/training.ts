import type { Command } from 'commander'
import pc from 'picocolors'
import { OptionError } from '../errors.js'
import type { T5 } from '../model.js'
import type { TrainingOptions } from '../options/training.js'
import { type ModelResult, writeReport } from '../report/write.js'
import { checkModelFolder } from '../save.js'
import type { TrainingRun } from '../train/run.js'
import type { AdaptEvent, FinetuneEvent } from '../train/runs.js'
import { real } from './arguments.js'
import { checkKeeping, evaluationOptions, keepingOptions, type LearningFlags, stepOptions } from './learning.js'
import { bytes, count, duration, metricsLine, note, print } from './output.js'
import { progressView } from './progress.js'

/** Flags of the commands that train all parameters of a model. */
export interface TrainingFlags extends LearningFlags {
  out: string
  saveDtype?: 'float32' | 'bfloat16'
  optimizer?: 'adafactor' | 'adamw'
}

export function outOptions(command: Command): Command {
  return command
    .requiredOption('-o, --out <M2>', "the folder where the new model is saved; one that holds a model's files alone is replaced")
    .option('--save-dtype <name>', 'of the saved weights: float32 or bfloat16 (default: float32)')
}

export function trainingOptions(command: Command, defaults: { rate: string; dropout: string }): Command {
  return stepOptions(command, 'weights')
    .option('--optimizer <name>', 'adafactor (as T5, with parameter scaling) or adamw (default: adafactor)')
    .option('--learning-rate <X>', `(default: ${defaults.rate})`, real)
    .option('--dropout <X>', `while it trains (default: ${defaults.dropout})`, real)
}

export function choosingOptions(command: Command): Command {
  return keepingOptions(evaluationOptions(command, 'weights'), { held: ": all weights and the optimizer's state" })
}

/** What the flags say that both commands have. */
export function trainingOf(flags: TrainingFlags): TrainingOptions {
  const { steps, batchSize, microBatchSize, seed, learningRate, dropout, evaluateEvery, patience, timeLimit, onDivergence, resume } = flags
  const rule = flags.optimizer && ({ name: flags.optimizer, learningRate } as TrainingOptions['optimizer'])
  return {
    ...{ steps, batchSize, microBatchSize, seed, dropout, evaluateEvery, patience, timeLimit, onDivergence, resume },
    ...(rule ? { optimizer: rule } : { learningRate }),
    checkpoint: flags.checkpoint === undefined ? undefined : { path: flags.checkpoint, every: flags.checkpointEvery },
  } as TrainingOptions
}

/** As checkKeeping. */
export async function checkTrainingFlags(flags: TrainingFlags): Promise<void> {
  if (flags.saveDtype !== undefined && !['float32', 'bfloat16'].includes(flags.saveDtype))
    throw new OptionError('OPTION_INVALID', `--save-dtype is ${JSON.stringify(flags.saveDtype)}, but must be float32 or bfloat16.`)
  await checkModelFolder(flags.out)
  await checkKeeping(flags)
}

/**
 * The run to its end, and its model saved; after an interruption, saves what was learned until then and rejects. `base` is let go of as soon as its copy has
 * begun to learn.
 */
export async function train<Event extends AdaptEvent | FinetuneEvent>(
  base: T5,
  run: TrainingRun<Event, ModelResult>,
  flags: TrainingFlags,
): Promise<void> {
  const view = progressView()
  try {
    for await (const event of run) {
      if (event.type === 'start') await base.dispose()
      if (flags.json) await print(JSON.stringify(event))
      else view.show(event)
    }
    const result = await run.result
    await save(result, flags)
    await print(flags.json ? JSON.stringify({ type: 'result', out: flags.out, report: result.report }) : summary(result, flags))
  } catch (error) {
    view.close()
    const partial = (error as { partial?: ModelResult } | null)?.partial
    if (partial) {
      await save(partial, flags)
      note(`Saved the weights of step ${partial.report.bestStep} to ${flags.out}.`)
    }
    throw error
  } finally {
    view.close()
  }
}

async function save(result: ModelResult, flags: TrainingFlags): Promise<void> {
  const { model } = result
  await model.save(flags.out, { dtype: flags.saveDtype })
  if (flags.report) await writeReport(flags.report, result)
  await model.dispose()
}

function summary({ report }: ModelResult, { out, saveDtype }: TrainingFlags): string {
  const best = report.bestMetric === null ? '' : `, best at step ${report.bestStep}: validation ${metricsLine(report.metrics)}`
  const size = bytes(report.parameters * (saveDtype === 'bfloat16' ? 2 : 4))
  return [
    `${pc.green('done')} in ${duration(report.seconds)}: ${count(report.steps)} steps${ENDINGS[report.stopped ?? 'steps']}${best}`,
    `${count(report.tokens)} tokens, ${count(Math.round(report.tokensPerSecond))} a second; at most ${bytes(report.peakRss)} of memory`,
    `saved ${pc.bold(out)}: ${count(report.parameters)} parameters (${size})`,
    `use it: softprompt tune --model ${out} ..., or softprompt generate --model ${out} "..."`,
  ].join('\n')
}

const ENDINGS = {
  ...{ steps: '', patience: ' (the evaluations no longer became better)', timeLimit: ' (the time was up)' },
  ...{ diverged: ' (stopped: it diverged)', textEnded: ' (the text was at its end)' },
}
