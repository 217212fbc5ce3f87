import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'

/** The sha256 of a file's bytes, in hexadecimal digits. */
export async function sha256Of(file: string, onProgress: (loaded: number, total: number) => void = () => {}, signal?: AbortSignal) {
  const hash = createHash('sha256')
  const total = (await stat(file)).size
  let loaded = 0
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, signal })) {
    hash.update(chunk)
    loaded += chunk.length
    onProgress(loaded, total)
  }
  return hash.digest('hex')
}
