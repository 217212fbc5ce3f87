import type { Command } from 'commander'
import { LibTorchError } from '../../errors.js'
import { findLibtorch } from '../../libtorch/find.js'
import { installLibtorch } from '../../libtorch/install.js'
import { showProgress } from '../../libtorch/progress.js'
import { interruptible } from '../interrupt.js'
import { print } from '../output.js'

/** CUDA builds are a dozen wheels of 2.5 GB in all, whose hashes this package does not know. */
function noCuda(build: string): LibTorchError {
  return new LibTorchError(
    'LIBTORCH_DOWNLOAD',
    `A LibTorch with CUDA (${build}) is not installed by this command, and this version computes on the CPU. Run \`softprompt libtorch install\` without --cuda.`,
  )
}

export function libtorchCommand(root: Command): void {
  const libtorch = root.command('libtorch').description('the tensor library that softprompt computes with')
  libtorch
    .command('install')
    .description("put LibTorch for the CPU into the user's cache (about 200 MB to download)")
    .option('--cuda <BUILD>', 'a build with CUDA, such as cu130: says how to get one')
    .action((flags: { cuda?: string }) =>
      interruptible(async (signal) => {
        if (flags.cuda !== undefined) throw noCuda(flags.cuda)
        const { lib } = await installLibtorch({ signal, onProgress: showProgress() })
        await print(lib)
      }),
    )
  libtorch
    .command('path')
    .description('where LibTorch was found')
    .action(async () => {
      const { chosen, advice } = await findLibtorch()
      if (chosen) await print(chosen.lib)
      else throw new LibTorchError('LIBTORCH_NOT_FOUND', `LibTorch was not found. ${advice}`)
    })
}
