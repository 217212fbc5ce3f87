import type { Command } from 'commander'
import type { OnDivergence } from '../options/tune.js'
import { reportForm } from '../report/write.js'
import { checkWritable } from '../writable.js'
import { integer, list, real } from './arguments.js'

/** Flags of all commands that learn: `tune` a prompt, `adapt` and `finetune` all weights. */
export interface LearningFlags {
  steps?: number
  batchSize?: number
  microBatchSize?: number
  seed?: number
  learningRate?: number
  dropout?: number
  timeLimit?: number
  onDivergence?: OnDivergence
  evaluateEvery?: number
  patience?: number
  checkpoint?: string
  checkpointEvery?: number
  resume?: boolean
  report?: string
  json?: boolean
}

/** What is learned. */
export type Learned = 'prompt' | 'weights'

export function stepOptions(command: Command, what: Learned): Command {
  return command
    .optionsGroup('Training:')
    .option('--steps <N>', 'steps of training (default: 1000)', integer)
    .option('--batch-size <N>', 'examples a step (default: 32)', integer)
    .option('--micro-batch-size <N>', 'rows in one pass, where a batch is too large for the memory (default: all)', integer)
    .option('--seed <N>', `same seed, same ${what} (default: 0)`, integer)
    .option('--time-limit <seconds>', `stop training after so long, and keep the best ${what}`, real)
    .option('--on-divergence <how>', `fail, stop (and keep the best ${what}) or lowerRate (and go on from there) (default: fail)`)
}

/** Examples to learn from and to choose by. */
export function exampleOptions(command: Command, what: Learned): Command {
  return command
    .option('--validation <F>', `examples to pick the best ${what} by`)
    .option('--validation-split <share>', 'draw this share of the training rows for it, by the seed (0.1)', real)
}

export function metricOptions(command: Command, what: Learned): Command {
  return command
    .optionsGroup(`Choosing the best ${what}:`)
    .option('--metric <name>', `metrics to evaluate, the first picks the best ${what}; repeat or use commas (default: accuracy)`, list)
    .option('--best-metric <name>', `the metric that picks the best ${what}`)
}

export function evaluationOptions(command: Command, what: Learned): Command {
  return command
    .optionsGroup(`Choosing the best ${what}:`)
    .option('--evaluate-every <N>', 'steps between evaluations (default: a tenth of the steps)', integer)
    .option('--patience <N>', 'stop after N evaluations without a better one', integer)
}

/** `held` and `often`: what a command adds to the two about checkpoints. */
export function keepingOptions(command: Command, { held = '', often = '' }: { held?: string; often?: string }): Command {
  return command
    .optionsGroup('Keeping and telling:')
    .option('--checkpoint <file>', `where the run's state is kept, to resume from${held}`)
    .option('--checkpoint-every <N>', `steps between checkpoints (default: only at the end${often})`, integer)
    .option('--resume', 'go on from the checkpoint, if there is one')
    .option('--report <file>', 'write how the run went: a page (.html), or the numbers (.json)')
    .option('--json', 'events and the result as JSON lines')
}

/** A large model takes its time to load: what is wrong with the files that a run writes is told before. */
export async function checkKeeping({ report, checkpoint }: LearningFlags): Promise<void> {
  if (report) {
    await checkWritable(report, 'The report')
    reportForm(report)
  }
  if (checkpoint) await checkWritable(checkpoint, 'The checkpoint')
}
