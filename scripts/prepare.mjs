// The `prepare` hook: what `npm ci` does in a clone, and `npm pack` before it packs. It builds lib/, gets LibTorch into the user's cache (once for all
// clones) and builds the native module. An installed package has no sources, and nothing of this happens there.
import { existsSync } from 'node:fs'
import { fail, root, run } from './shared.mjs'

if (!existsSync(new URL('src/', root))) process.exit(0)

run('npm', ['run', '--silent', 'build:ts'])

const { findLibtorch, installLibtorch, showProgress } = await import(new URL('lib/libtorch.js', root).href)
const { chosen } = await findLibtorch({ headers: true })
if (!chosen) {
  if (process.env.SOFTPROMPT_LIBTORCH)
    fail(`SOFTPROMPT_LIBTORCH=${process.env.SOFTPROMPT_LIBTORCH} is not a LibTorch with lib/ and include/`)
  await installLibtorch({ onProgress: showProgress() }).catch((error) => fail(error.message))
}
run('npm', ['run', '--silent', 'build:native'])
