// Puts the cases of corpus.mjs on disk.
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Writes one case into the empty folder `home`; gives the path to open. `sound`: paths of the tiny model's files. */
export function layOut(item, home, sound) {
  mkdirSync(home, { recursive: true })
  if (item.as !== 'model') return single(item, home)
  const folder = item.inCache ? join(home, 'snapshots', 'revision') : join(home, 'model')
  mkdirSync(folder, { recursive: true })
  if (item.config) writeFileSync(join(folder, 'config.json'), item.config)
  else linkSync(sound.config, join(folder, 'config.json'))
  if (item.sound) linkSync(sound.weights, join(folder, 'model.safetensors'))
  for (const [name, bytes] of Object.entries(item.files ?? {})) writeFileSync(join(folder, name), bytes)
  for (const [name, bytes] of Object.entries(item.beside ?? {})) {
    const path = join(home, item.inCache ? 'blobs' : 'beside', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
  for (const [name, target] of Object.entries(item.links ?? {})) symlinkSync(target, join(folder, name))
  return folder
}

const NAMES = { pt: 'model.pt', prompt: 'prompt.safetensors', inspect: 'file.safetensors' }

function single(item, home) {
  const path = join(home, NAMES[item.as])
  writeFileSync(path, item.bytes)
  if (item.size) truncateSync(path, item.size) // a hole: nothing of it is on disk
  return path
}
