import type { DataSet } from './dataset.js'
import { OptionError } from './errors.js'
import type { Frozen } from './frozen.js'
import { show } from './options/check.js'

/**
 * What option 'sentinel' makes of a set: targets that begin with <extra_id_0>, one token longer, as all targets did that a model trained by span corruption alone has seen
 * (Lester et al. 2021, section 3.2). Throws OPTION_INVALID where the tokenizer has no such piece.
 */
export function sentinelInFront({ tokenizer, name }: Frozen): (set: DataSet) => DataSet {
  const id = tokenizer?.pieceToId('<extra_id_0>')
  if (id === undefined)
    throw new OptionError('OPTION_INVALID', `Option 'sentinel' needs a tokenizer with <extra_id_0>, but that of ${show(name)} has none.`)
  return (set) => ({ ...set, targets: set.targets.map((target) => Int32Array.of(id, ...target)) })
}
