import type { Command } from 'commander'
import { LibTorchError } from '../../errors.js'
import { findLibtorch } from '../../libtorch/find.js'
import { installLibtorch } from '../../libtorch/install.js'
import { installCuda } from '../../libtorch/install-cuda.js'
import { showProgress } from '../../libtorch/progress.js'
import { interruptible } from '../interrupt.js'
import { print } from '../output.js'

export function libtorchCommand(root: Command): void {
  const libtorch = root.command('libtorch').description('the tensor library that softprompt computes with')
  libtorch
    .command('install')
    .description("put LibTorch for the CPU into the user's cache (about 200 MB to download)")
    .option('--cuda <BUILD>', 'a build with CUDA instead: cu130 (by pip; about 2.5 GB to download)')
    .action((flags: { cuda?: string }) =>
      interruptible(async (signal) => {
        const options = { signal, onProgress: showProgress() }
        const { lib } = await (flags.cuda === undefined ? installLibtorch(options) : installCuda(flags.cuda, options))
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
