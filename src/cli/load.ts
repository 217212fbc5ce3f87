import type { Command } from 'commander'
import type { Device, LoadOptions } from '../load.js'
import { T5 } from '../model.js'
import { integer } from './arguments.js'

export interface ModelFlags {
  model: string
  device?: Device
  dtype?: LoadOptions['dtype']
  threads?: number
  trust?: boolean
}

export function modelOption(command: Command): Command {
  return command.requiredOption('-m, --model <M>', 'the model: a folder, a .pt file, or a hub id in the local cache')
}

/** How the model is loaded; shown below a command's own flags. */
export function machineOptions(command: Command): Command {
  return command
    .optionsGroup('Machine:')
    .option('--device <name>', 'auto, cpu, cuda or cuda:N (default: auto)')
    .option('--dtype <name>', 'auto, float32, bfloat16 or, for inference, int8 (default: auto)')
    .option('--threads <N>', 'threads to compute with', integer)
    .option('--trust', 'run the code of a .pt file that softprompt did not write')
}

/** Loads the model of the flags, hands it to `work`, and disposes of it whatever happens. */
export async function withLoaded<T>(flags: ModelFlags, signal: AbortSignal | undefined, work: (t5: T5) => Promise<T>): Promise<T> {
  const { model, device, dtype, threads, trust } = flags
  const t5 = await T5.load(model, { device, dtype, threads, trust, signal })
  try {
    return await work(t5)
  } finally {
    await t5.dispose()
  }
}
