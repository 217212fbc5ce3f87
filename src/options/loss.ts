import type { NativeLoss } from '../native.js'
import { checkOptions, number, oneOf } from './check.js'

/** The cross entropy of the target tokens. */
export interface LossOptions {
  /** Over the batch's target tokens. @defaultValue 'sum' */
  reduction?: 'sum' | 'mean'
  /** Adds zLoss * logsumexp(logits)^2 a target token (the paper's is 1e-4). @defaultValue 0 */
  zLoss?: number
  /** The share of a target token's probability that goes to all tokens alike, in [0, 1). @defaultValue 0 */
  labelSmoothing?: number
}

/** A loss that is given replaces the preset's whole: what it leaves out takes these defaults. */
export function checkLoss(value: unknown, name: string): NativeLoss {
  const checks = { reduction: oneOf('sum', 'mean'), zLoss: number({ min: 0 }), labelSmoothing: number({ min: 0, below: 1 }) }
  const { reduction = 'sum', zLoss = 0, labelSmoothing = 0 } = checkOptions('loss', value, checks, `${name}.`)
  return { reduction, zLoss, labelSmoothing }
}
