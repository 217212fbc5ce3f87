import type { Command } from 'commander'
import { checkReadable } from '../../data/lines.js'
import { type FinetuneOptions, resolveFinetune } from '../../options/finetune.js'
import { list } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import { exampleOptions, metricOptions } from '../learning.js'
import { type ModelFlags, machineOptions, modelOption, withLoaded } from '../load.js'
import { type LengthFlags, lengthOptions, type SourceFlags, sourceOf, sourceOptions } from '../source.js'
import { checkTrainingFlags, choosingOptions, outOptions, type TrainingFlags, train, trainingOf, trainingOptions } from '../training.js'

interface FinetuneFlags extends ModelFlags, SourceFlags, LengthFlags, TrainingFlags {
  train: string
  validation?: string
  validationSplit?: number
  tasks?: string[]
  sentinel?: boolean
  metric?: string[]
  bestMetric?: string
}

const EXAMPLES = `
Examples:
  softprompt finetune --model models/nano-t5 --train train.jsonl --validation dev.jsonl --out reviews-t5
  softprompt finetune ... --tasks reviews,intents                one model for several tasks, from rows with a task
  softprompt finetune ... --checkpoint run.ckpt --checkpoint-every 100 --resume

All parameters learn, by Adafactor at 0.001 with dropout 0.1 (Lester et al. 2021's model tuning); a soft prompt (softprompt tune) learns far fewer.
Ctrl-C stops the run, saves the best weights so far to --out and ends with exit code 130.`

export function finetuneCommand(root: Command): void {
  const command = modelOption(root.command('finetune'))
    .description('train all parameters of a model on examples')
    .requiredOption('--train <F>', 'training examples: .jsonl, .json, .csv, .tsv or .parquet; - for standard input')
  outOptions(command)
  exampleOptions(command, 'weights')
  sourceOptions(command)
    .option('--tasks <a,b>', "tasks that rows name in their column task; a task's name goes in front of its inputs", list)
    .option('--sentinel', 'targets begin with <extra_id_0>: for models trained by span corruption alone')
  lengthOptions(command)
  trainingOptions(command, { rate: '0.001', dropout: '0.1' })
  metricOptions(command, 'weights')
  choosingOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: FinetuneFlags) => interruptible((signal) => finetune(flags, signal)))
  machineOptions(command)
}

async function finetune(flags: FinetuneFlags, signal: AbortSignal): Promise<void> {
  const options = { ...optionsOf(flags), signal }
  resolveFinetune(options)
  await checkTrainingFlags(flags)
  await checkReadable(flags.train)
  if (flags.validation !== undefined) await checkReadable(flags.validation)
  await withLoaded(flags, signal, (t5) => train(t5, t5.finetune(options), flags))
}

function optionsOf(flags: FinetuneFlags): FinetuneOptions {
  const { validationSplit, tasks, sentinel, bestMetric, maxInputLength, maxTargetLength } = flags
  return {
    ...trainingOf(flags),
    train: sourceOf(flags.train, flags),
    validation: flags.validation === undefined ? undefined : sourceOf(flags.validation, flags),
    ...{ validationSplit, tasks, sentinel, metrics: flags.metric, bestMetric, maxInputLength, maxTargetLength },
  } as FinetuneOptions
}
