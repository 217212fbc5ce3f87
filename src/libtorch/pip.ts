import { spawn } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface PipOptions {
  /** The Python interpreter, whose pip knows the user's index and proxy. */
  python: string
  version: string
  /** Another index to look in. */
  index?: string | undefined
  /** Where the wheel is put; one that is already there is not downloaded again. */
  folder: string
  onLine(line: string): void
  signal?: AbortSignal | undefined
}

export const pipArguments = (version: string, index?: string) => [
  ...['-m', 'pip', 'download', '--no-deps', '--retries', '0'],
  ...(index ? ['--extra-index-url', index] : []),
  `torch==${version}`,
]

/** Lets pip find and download the wheel of torch; pip checks it against its index. Gives the wheel's path. Rejects with a plain `Error` that says what pip said. */
export async function pipDownload({ python, version, index, folder, onLine, signal }: PipOptions): Promise<string> {
  await mkdir(folder, { recursive: true })
  const said = await runPip(python, [...pipArguments(version, index), '--dest', folder], onLine, signal)
  const wheels = (await readdir(folder)).filter((name) => name.startsWith(`torch-${version}`) && name.endsWith('.whl'))
  const wheel = wheels.find((name) => said.some((line) => line.includes(name))) ?? wheels[0]
  if (!wheel) throw new Error(`pip left no wheel of torch ${version} in ${folder}`)
  return join(folder, wheel)
}

/** Lets pip install wheels, and what they need, into `folder` as if it were Python's `site-packages`. */
export async function pipInstall(options: Omit<PipOptions, 'version'> & { requirements: readonly string[] }): Promise<void> {
  const { python, requirements, index, folder, onLine, signal } = options
  const how = ['--only-binary', ':all:', '--no-compile', ...(index ? ['--extra-index-url', index] : [])]
  await runPip(python, ['-m', 'pip', 'install', ...how, ...requirements, '--target', folder], onLine, signal)
}

async function runPip(python: string, args: string[], onLine: (line: string) => void, signal?: AbortSignal): Promise<string[]> {
  const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'pipe'], signal })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      onLine(line)
    })
  }
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(signal?.aborted ? signal.reason : new Error(`${python} could not be run: ${cause.message}`, { cause })),
    )
    child.once('close', resolve)
  })
  if (status !== 0) throw new Error(reasonIn(lines) ?? `pip ended with exit status ${status}`)
  return lines
}

/** pip's own last word, else what looks like an error (Python's "No module named pip"), else the last line. */
function reasonIn(lines: string[]): string | undefined {
  const said = lines.map((line) => line.trim()).filter(Boolean)
  return said.findLast((line) => line.startsWith('ERROR:')) ?? said.find((line) => /error|no module/i.test(line)) ?? said.at(-1)
}
