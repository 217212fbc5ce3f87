import type { InstallEvent } from './install.js'

const VERBS = { download: 'downloading', verify: 'checking', unpack: 'unpacking' } as const

interface Output {
  write(text: string): unknown
  isTTY?: boolean
}

/** Shows an installation: on a terminal one line that changes, else now and then a plain line. */
export function showProgress(out: Output = process.stderr, now: () => number = Date.now): (event: InstallEvent) => void {
  let phase = ''
  let started = { at: 0, loaded: 0 }
  let shown = 0
  let open = false // an unfinished line is on the terminal
  const line = (text: string) => {
    out.write(`${open ? '\n' : ''}softprompt: ${text}\n`)
    open = false
  }
  const advance = (status: keyof typeof VERBS, loaded: number, total: number | null) => {
    if (phase !== status) {
      phase = status
      started = { at: now(), loaded }
      shown = -1
    }
    const done = total ? loaded / total : 0
    const step = out.isTTY ? Math.floor(now() / 100) : Math.floor(done * (status === 'download' ? 20 : 4))
    if (step === shown && loaded !== total) return
    shown = step
    const text = `${VERBS[status]} LibTorch ${amounts(loaded, total, ((loaded - started.loaded) * 1000) / Math.max(1, now() - started.at))}`
    if (!out.isTTY) return line(text)
    out.write(`\r\x1b[2Ksoftprompt: ${text}`)
    open = true
  }
  return (event) => {
    if (event.status === 'waiting') line('another process is installing LibTorch; waiting for it')
    else if (event.status === 'source') line(`LibTorch from ${event.from}`)
    else if (event.status === 'output') line(`  ${event.line.trim()}`)
    else if (event.status === 'unavailable') line(`not available: ${event.reason}`)
    else if (event.status === 'done')
      line(`LibTorch ${event.libtorch.version} ${event.fresh ? 'was installed' : 'is'} in ${event.libtorch.root}`)
    else advance(event.status, event.loaded, event.total)
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)

function amounts(loaded: number, total: number | null, bytesPerSecond: number): string {
  const percent = total ? `${Math.floor((100 * loaded) / total)} %, ` : ''
  return `${percent}${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''} MB, ${megabytes(bytesPerSecond)} MB/s`
}
