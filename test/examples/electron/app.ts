import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createPackageWithOptions, extractAll, listPackage } from '@electron/asar'
import { findLibtorch } from '../../../src/libtorch/find.js'
import { ROOT } from '../../api/helpers.js'
import { copyInstalled, LIBTORCH } from '../../package/installed.js'

interface BuilderSettings {
  asarUnpack: string[]
  extraResources: { from: string; to: string }[]
}

/** The example with all that it needs in node_modules, as after its `npm install`. */
async function installed(folder: string): Promise<void> {
  cpSync(join(ROOT, 'examples/electron'), folder, { recursive: true })
  await copyInstalled(folder)
  const { chosen } = await findLibtorch()
  const libtorch = join(folder, 'node_modules', LIBTORCH)
  mkdirSync(libtorch, { recursive: true })
  writeFileSync(join(libtorch, 'package.json'), JSON.stringify({ name: LIBTORCH, version: '2.13.0' }))
  symlinkSync(chosen?.lib ?? '', join(libtorch, 'lib'))
}

/**
 * The app's `resources` folder as electron-builder lays it out by the example's settings: app.asar, app.asar.unpacked, the model. LibTorch is kept out of the
 * archive's making, which would copy it, and put in place afterwards.
 */
export async function packApp(folder: string): Promise<string> {
  const app = join(folder, 'app')
  await installed(app)
  const settings = JSON.parse(readFileSync(join(app, 'electron-builder.json'), 'utf8')) as BuilderSettings
  const resources = join(folder, 'resources')
  mkdirSync(resources)
  for (const { from, to } of settings.extraResources) cpSync(join(app, from), join(resources, to), { recursive: true })
  const aside = join(folder, 'libtorch-lib')
  renameSync(join(app, 'node_modules', LIBTORCH, 'lib'), aside)
  const patterns = settings.asarUnpack.map((pattern) => pattern.replace(/\/\*\*$/, ''))
  await createPackageWithOptions(app, join(resources, 'app.asar'), {
    unpackDir: `{${patterns.join(',')},${patterns.map((p) => `${p}/**`).join(',')}}`,
  })
  renameSync(aside, join(resources, 'app.asar.unpacked', 'node_modules', LIBTORCH, 'lib'))
  return resources
}

/**
 * What a process sees that cannot look into archives as Electron's JavaScript can: the archive becomes a folder `app.asar`, in which the unpacked files have
 * their names but not their contents. Native code that opened one of them there would fail, as it does in Electron.
 */
export function asSeenByJavaScript(resources: string): string {
  const archive = join(resources, 'app.asar')
  const packed = join(resources, 'archive')
  const names = listPackage(archive, { isPack: true })
  const unpacked = names.filter((line) => line.startsWith('unpack')).map((line) => line.replace(/^unpack\s*:\s*/, ''))
  extractAll(archive, packed)
  for (const name of unpacked.filter((name) => /\.(node|so)$/.test(name))) {
    mkdirSync(dirname(join(packed, name)), { recursive: true })
    writeFileSync(join(packed, name), 'in app.asar.unpacked')
  }
  renameSync(archive, join(resources, 'app.asar.file'))
  renameSync(packed, archive)
  return archive
}
