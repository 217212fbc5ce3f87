import type { Command } from 'commander'
import { convert } from '../../convert.js'
import { interruptible } from '../interrupt.js'
import { print } from '../output.js'

interface ConvertFlags {
  dtype?: 'auto' | 'float32' | 'bfloat16'
}

const EXAMPLES = `
Example:
  softprompt convert models/nano-t5 nano-t5.pt

The .pt is a TorchScript module that PyTorch can load and run too. The tokenizer's files go into OUT.tokenizer/ beside it.`

export function convertCommand(root: Command): void {
  root
    .command('convert')
    .description('turn a model folder into one TorchScript file')
    .argument('<M>', "the model's folder, or a hub id in the local cache")
    .argument('<OUT.pt>', 'the file to write')
    .option('--dtype <name>', 'auto (as the folder has it), float32 or bfloat16 (default: auto)')
    .addHelpText('after', EXAMPLES)
    .action((model: string, out: string, flags: ConvertFlags) =>
      interruptible(async (signal) => {
        await convert(model, out, { dtype: flags.dtype, signal })
        await print(`wrote ${out}`)
      }),
    )
}
