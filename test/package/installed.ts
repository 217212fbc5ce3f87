import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, ROOT } from './sandbox.js'

export const LIBTORCH = `@softprompt/libtorch-${process.platform}-${process.arch}`

/** Puts this package and all that it depends on into a folder's node_modules, as installing the published one does, but for LibTorch. Gives the package's folder. */
export async function copyInstalled(folder: string): Promise<string> {
  const place = join(folder, 'node_modules', 'softprompt')
  for (const part of ['lib', 'models/nano-t5']) cpSync(join(ROOT, part), join(place, part), { recursive: true })
  const prebuilt = join(place, 'prebuilds', `${process.platform}-${process.arch}`)
  mkdirSync(prebuilt, { recursive: true })
  cpSync(join(ROOT, 'build/Release/softprompt.node'), join(prebuilt, 'softprompt.glibc.node'))
  cpSync(join(ROOT, 'build/Release/softprompt_core.so'), join(prebuilt, 'softprompt_core.so'))
  cpSync(join(ROOT, 'package.json'), join(place, 'package.json'))
  const listed = await mustRun('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: ROOT })
  for (const path of listed.split('\n').filter((path) => path.startsWith(join(ROOT, 'node_modules'))))
    cpSync(path, join(folder, path.slice(ROOT.length)), { recursive: true, dereference: true })
  return place
}
