import type { Command } from 'commander'
import { OptionError } from '../errors.js'
import type { LossOptions } from '../options/loss.js'
import type { OptimizerOptions } from '../options/optimizer.js'
import { integer, real } from './arguments.js'

/** Flags for the update rule and the loss, in place of a preset's. What is wrong with a value is said by the API. */
export interface RuleFlags {
  optimizer?: string
  learningRate?: number
  schedule?: string
  warmupSteps?: number
  weightDecay?: number
  maxGradientNorm?: number
  averageDecay?: number
  reduction?: string
  labelSmoothing?: number
  zLoss?: number
}

export function ruleOptions(command: Command): Command {
  return command
    .optionsGroup('Update rule and loss:')
    .option('--optimizer <name>', "adafactor, adamw or muon, in place of the preset's rule with its schedule and decay")
    .option('--schedule <name>', 'with --optimizer: constant, linear, cosine or inverseSqrt (default: constant)')
    .option('--warmup-steps <N>', 'with --optimizer: steps in which the rate rises from 0 (default: 0)', integer)
    .option('--weight-decay <X>', 'with --optimizer (default: 0)', real)
    .option('--max-gradient-norm <X>', 'with --optimizer: larger gradients are scaled down to it (default: no limit)', real)
    .option('--average-decay <X>', "with --optimizer: measure and save a moving average of the steps' prompts (default: 0)", real)
    .option('--reduction <how>', "sum or mean over a batch's target tokens, in place of the preset's loss")
    .option('--label-smoothing <X>', "in place of the preset's loss, summed unless --reduction says otherwise", real)
    .option('--z-loss <X>', 'likewise: X times the squared logsumexp, a target token (the paper: 0.0001)', real)
}

/** The optimizer that the flags describe; undefined: the preset's, whose rate alone `learningRate` may change. */
export function optimizerOf(flags: RuleFlags): OptimizerOptions | undefined {
  const { optimizer: name, learningRate, schedule, warmupSteps, weightDecay, maxGradientNorm, averageDecay } = flags
  const settings = { schedule, warmupSteps, weightDecay, maxGradientNorm, averageDecay }
  if (name !== undefined) return { name, learningRate, ...settings } as OptimizerOptions
  const [alone] = Object.entries(settings).flatMap(([setting, value]) => (value === undefined ? [] : [setting]))
  if (alone === undefined) return undefined
  const flag = `--${alone.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  throw new OptionError('OPTION_INVALID', `${flag} belongs to an update rule of your own: give --optimizer adafactor, adamw or muon too.`)
}

export function lossOf({ reduction, labelSmoothing, zLoss }: RuleFlags): LossOptions | undefined {
  if (reduction === undefined && labelSmoothing === undefined && zLoss === undefined) return undefined
  return { reduction, labelSmoothing, zLoss } as LossOptions
}
