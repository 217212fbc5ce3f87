import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { convert } from '../../convert.js'
import { type PromptFormat, SoftPrompt } from '../../prompt.js'
import { interruptible } from '../interrupt.js'
import { print } from '../output.js'

interface ConvertFlags {
  dtype?: 'auto' | 'float32' | 'bfloat16'
  format?: PromptFormat
}

const EXAMPLES = `
Examples:
  softprompt convert models/nano-t5 nano-t5.pt
  softprompt convert sst2.npy sst2.safetensors
  softprompt convert reviews.safetensors reviews-peft

The .pt is a TorchScript module that PyTorch can load and run too. The tokenizer's files go into OUT.tokenizer/ beside it. A prompt becomes .npy or
.safetensors as OUT ends, else a folder that the PEFT library loads.`

export function convertCommand(root: Command): void {
  root
    .command('convert')
    .description('turn a model folder into one TorchScript file, or a prompt into another format')
    .argument('<M>', "the model's folder, or a hub id in the local cache; or a prompt: .safetensors, .npy or a folder of the PEFT library")
    .argument('<OUT>', 'what to write: OUT.pt; for a prompt .safetensors, .npy or a folder')
    .option('--dtype <name>', 'of a model: auto (as the folder has it), float32 or bfloat16 (default: auto)')
    .addOption(
      new Option('--format <name>', 'of a prompt: safetensors, npy or peft (default: as OUT ends)').choices(['safetensors', 'npy', 'peft']),
    )
    .addHelpText('after', EXAMPLES)
    .action((source: string, out: string, flags: ConvertFlags) =>
      interruptible(async (signal) => {
        if (isPrompt(source)) await (await SoftPrompt.load(source)).save(out, { format: flags.format ?? formatOf(out), signal })
        else await convert(source, out, { dtype: flags.dtype, signal })
        await print(`wrote ${out}`)
      }),
    )
}

/** A model comes as a folder; a folder with an adapter's config is PEFT's. */
function isPrompt(path: string): boolean {
  return existsSync(path) && (!statSync(path).isDirectory() || existsSync(join(path, 'adapter_config.json')))
}

function formatOf(out: string): PromptFormat {
  if (out.endsWith('.npy')) return 'npy'
  return out.endsWith('.safetensors') ? 'safetensors' : 'peft'
}
