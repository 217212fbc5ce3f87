import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import yauzl from 'yauzl'
import { CUDA_LIBRARY } from './release.js'

/** What an archive or a wheel holds, read from its directory. */
export interface Contents {
  /** The folder inside it that is the LibTorch: `libtorch/` in an archive, `torch/` in a wheel. */
  prefix: string
  /** A wheel's version, such as '2.13.0+cpu'; null for an archive. */
  wheelVersion: string | null
  /** What a wheel asks pip for, as it is written there. */
  requirements: string[]
  cuda: boolean
}

/** Rejects where the file is no zip. */
export async function inspectZip(file: string): Promise<Contents> {
  const zip = await yauzl.openPromise(file, { lazyEntries: true, autoClose: true })
  let wheelVersion: string | null = null
  let requirements: string[] = []
  let cuda = false
  for await (const entry of zip.eachEntry()) {
    if (/^torch-[^/]+\.dist-info\/METADATA$/.test(entry.fileName)) {
      const metadata = await text(await zip.openReadStreamPromise(entry))
      wheelVersion = /^Version: (.+)$/m.exec(metadata)?.[1]?.trim() ?? ''
      requirements = [...metadata.matchAll(/^Requires-Dist: (.+)$/gm)].map(([, requirement]) => (requirement as string).trim())
    }
    cuda ||= entry.fileName.endsWith(`/${CUDA_LIBRARY}`)
  }
  return { prefix: wheelVersion === null ? 'libtorch/' : 'torch/', wheelVersion, requirements, cuda }
}

// Python's binding, and the libraries of PyTorch's own tests: nothing of ours uses them.
const LEFT_OUT = /^lib\/(lib(torch_python|shm|jitbackend_test|torchbind_test|backend_with_compiler|aoti_custom_ops)\b|libshm(_windows)?\/)/

const isWanted = (name: string) => (name.startsWith('lib/') || name.startsWith('include/')) && !LEFT_OUT.test(name)

export interface UnpackOptions {
  file: string
  to: string
  prefix: string
  /** Which files, by their names after the prefix; `lib/` and `include/` without the parts for Python where not given. */
  wanted?: (name: string) => boolean
  onProgress(loaded: number, total: number | null): void
  signal?: AbortSignal | undefined
}

/** Unpacks what is wanted of the LibTorch in a zip. Progress is in bytes of the zip. */
export async function unpack({ file, to, prefix, wanted = isWanted, onProgress, signal }: UnpackOptions): Promise<void> {
  const zip = await yauzl.openPromise(file, { lazyEntries: true, autoClose: true })
  const made = new Set<string>()
  let loaded = 0
  for await (const entry of zip.eachEntry()) {
    signal?.throwIfAborted()
    loaded += entry.compressedSize
    const name = entry.fileName.startsWith(prefix) ? entry.fileName.slice(prefix.length) : ''
    if (!name || name.endsWith('/') || !wanted(name)) continue
    const path = join(to, name)
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true })
    made.add(dirname(path))
    // The libraries are flushed to the disk; ten thousand headers are not worth the wait.
    const out = createWriteStream(path, { flush: /(^|\/)lib\//.test(name) })
    await pipeline(await zip.openReadStreamPromise(entry), out, { signal })
    onProgress(loaded, zip.fileSize)
  }
}
