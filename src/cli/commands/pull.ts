import { Presets, SingleBar } from 'cli-progress'
import type { Command } from 'commander'
import { type PullProgress, pull } from '../../hub/pull.js'
import { interruptible } from '../interrupt.js'
import { bytes, note, print } from '../output.js'

interface PullFlags {
  revision?: string
  token?: string
  json?: boolean
}

const EXAMPLES = `
Examples:
  softprompt pull google/t5-small-lm-adapt
  softprompt pull google/flan-t5-base@main --json     {"id": ..., "commit": ..., "path": ..., "files": [...]}
  softprompt tune --model google/t5-small-lm-adapt ...

Fetched are the config, the tokenizer and the weights in one form, safetensors where there are any, into the cache that Python's Hugging Face
tools use too. A pull that was interrupted goes on where it stopped. Heeded are HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE.`

export function pullCommand(root: Command): void {
  root
    .command('pull')
    .description('fetch a model from the Hugging Face hub into the local cache')
    .argument('<ORG/NAME[@REV]>', 'the model, at a branch, tag or commit')
    .option('--revision <REV>', 'the same as @REV (default: main)')
    .option('--token <T>', 'to read gated and private models; better kept in HF_TOKEN, as others on this machine see command lines')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((name: string, { revision, token, json }: PullFlags) =>
      interruptible(async (signal) => {
        const view = pullView()
        const options = { ...(revision !== undefined && { revision }), ...(token !== undefined && { token }), signal }
        const pulled = await pull(name, { ...options, onProgress: view.show }).finally(view.close)
        note(`use it: --model ${pulled.id}`)
        await print(json ? JSON.stringify(pulled) : pulled.path)
      }),
    )
}

interface View {
  show(progress: PullProgress): void
  close(): void
}

/** A bar where stderr is a terminal, else a line a file. */
function pullView(): View {
  return process.stderr.isTTY ? bar() : { show: (progress) => progress.status !== 'progress' && note(line(progress)), close() {} }
}

function bar(): View {
  const format = ' {bar} {percentage} %  {amount}  {file}'
  const shown = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, fps: 8, barsize: 20, gracefulExit: false },
    Presets.shades_classic,
  )
  let open = false
  return {
    show(progress) {
      if (progress.status === 'waiting') note(line(progress))
      if (progress.status !== 'progress') return
      const { file, loaded, total } = progress
      const payload = { file, amount: `${bytes(loaded)} of ${bytes(total)}` }
      if (!open) shown.start(total, loaded, payload)
      open = true
      shown.setTotal(total)
      shown.update(loaded, payload)
    },
    close() {
      if (open) shown.stop()
    },
  }
}

function line(progress: Exclude<PullProgress, { status: 'progress' }>): string {
  return progress.status === 'waiting' ? 'another process pulls this model; waiting for it' : `here: ${progress.file}`
}
