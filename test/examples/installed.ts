import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, temporaryFolder } from '../api/helpers.js'

/** An example's folder as after its `npm install`: a copy, with this package and what else it names in node_modules. */
export function installedExample(name: string, dependencies: string[] = []): string {
  const folder = temporaryFolder()
  cpSync(join(ROOT, 'examples', name), folder, { recursive: true })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules', 'softprompt'))
  for (const other of dependencies) symlinkSync(join(ROOT, 'node_modules', other), join(folder, 'node_modules', other))
  return folder
}
