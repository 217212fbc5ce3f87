import { availableParallelism, totalmem } from 'node:os'
import type { Command } from 'commander'
import pc from 'picocolors'
import { SoftPromptError } from '../../errors.js'
import { inspectFile, type ModelMemory } from '../../inspect.js'
import { findLibtorch, type LibtorchSearch } from '../../libtorch/find.js'
import { cudaProblem, loadNative, packageRoot } from '../../libtorch/load.js'
import { whereNotFound, whereNotOpened, whereSlow } from '../../libtorch/remedy.js'
import { T5 } from '../../model.js'
import type { Native } from '../../native.js'
import { VERSION } from '../../version.js'
import { ExitCode } from '../failure.js'
import { bytes, count, memoryText, print } from '../output.js'

interface DoctorFlags {
  model?: string
  json?: boolean
}

interface Diagnosis {
  usable: boolean
  softprompt: string
  node: string
  platform: string
  processors: number
  memory: number
  libtorch: LibtorchSearch
  native?: ReturnType<Native['versions']>
  /** Bytes that the model's numbers take as each dtype: known before it is loaded, and where it cannot be. */
  modelMemory?: ModelMemory
  model?: { path: string; device: string; dtype: string; parameters: number; bytes: number; tokenizer: boolean }
  /** What stands in the way. */
  problems: string[]
  /** The problems, and what works but not as well as it could, each with the command that mends it. */
  findings: Finding[]
}

interface Finding {
  severity: 'problem' | 'warning'
  message: string
  command: string | null
}

export function doctorCommand(root: Command): void {
  root
    .command('doctor')
    .description('whether this machine is ready, and what to do where it is not (exit code 1)')
    .option('-m, --model <M>', 'load this model too')
    .option('--json', 'one JSON object')
    .action(async (flags: DoctorFlags) => {
      const diagnosis = await diagnose(flags)
      await print(flags.json ? JSON.stringify(diagnosis) : text(diagnosis))
      if (!diagnosis.usable) process.exitCode = ExitCode.failed
    })
}

async function diagnose(flags: DoctorFlags): Promise<Diagnosis> {
  const libtorch = await findLibtorch({ all: true })
  const findings: Finding[] = []
  const stop = (message: string, command: string | null = null) => void findings.push({ severity: 'problem', message, command })
  const native = await tryNative(libtorch, stop)
  if (native && libtorch.chosen) {
    const slow = whereSlow(libtorch.chosen, { ...native, cudaProblem: cudaProblem() })
    findings.push(...slow.map((trouble) => ({ severity: 'warning' as const, ...trouble })))
  }
  const modelMemory = native && flags.model !== undefined ? await memoryOf(flags.model) : undefined
  const model =
    native && flags.model !== undefined
      ? await tryModel(flags.model).catch((error: unknown) => {
          stop(problem(error))
          return undefined
        })
      : undefined
  const problems = findings.filter(({ severity }) => severity === 'problem').map(({ message }) => message)
  return {
    usable: problems.length === 0,
    softprompt: VERSION,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    processors: availableParallelism(),
    memory: totalmem(),
    libtorch,
    ...(native && { native }),
    ...(modelMemory && { modelMemory }),
    ...(model && { model }),
    problems,
    findings,
  }
}

/** The native module's own account; else tells `stop` what keeps it from being opened. */
async function tryNative(libtorch: LibtorchSearch, stop: (message: string, command: string) => void) {
  if (!libtorch.chosen) {
    const { message, command } = whereNotFound(libtorch, packageRoot())
    stop(`LIBTORCH_NOT_FOUND: LibTorch was not found. ${message} ${libtorch.advice}`, command)
    return undefined
  }
  try {
    return (await loadNative()).versions()
  } catch (error) {
    const { message, command } = whereNotOpened((error as Error).message, libtorch.chosen)
    stop(`${problem(error)} ${message}`, command)
    return undefined
  }
}

function problem(error: unknown): string {
  return SoftPromptError.isInstance(error) ? `${error.code}: ${error.message}` : String(error)
}

/** From the headers alone. What is wrong with the files, loading tells. */
async function memoryOf(source: string) {
  const inspection = await inspectFile(source).catch(() => undefined)
  return inspection?.memory
}

async function tryModel(source: string) {
  const t5 = await T5.load(source)
  const { path, parameterCount, bytes } = t5.info
  const found = { path, device: t5.device, dtype: t5.dtype, parameters: parameterCount, bytes, tokenizer: t5.tokenizer !== null }
  await t5.dispose()
  return found
}

function text(diagnosis: Diagnosis): string {
  const { libtorch, native, model, modelMemory } = diagnosis
  const line = (name: string, value: string) => `${pc.dim(name.padEnd(12))} ${value}`
  const lines = [
    line('softprompt', diagnosis.softprompt),
    line('node', `${diagnosis.node} on ${diagnosis.platform}`),
    line('machine', `${diagnosis.processors} processors, ${bytes(diagnosis.memory)} memory`),
    ...libtorch.places.map((place) => line('libtorch', placeLine(place, libtorch))),
    ...(libtorch.chosen && libtorch.advice ? [line('', libtorch.advice)] : []),
  ]
  if (native) {
    lines.push(line('loaded', `LibTorch ${native.libtorch}, ${native.cpuCapability}, ${native.threads} threads`))
    lines.push(
      line('bfloat16', native.bfloat16 ? 'multiplied natively: the default dtype' : 'not native on this processor: float32 is the default'),
    )
    lines.push(line('cuda', native.cuda ? 'available' : 'not available'))
  }
  if (modelMemory) {
    lines.push(line('will take', `${memoryText(modelMemory)} (the weights alone)`))
  }
  if (model) {
    const size = `${count(model.parameters)} parameters, ${bytes(model.bytes)} as ${model.dtype} on ${model.device}`
    lines.push(line('model', `${model.path}: ${size}, ${model.tokenizer ? 'with' : 'without'} tokenizer`))
  }
  return [...lines, '', ...verdict(diagnosis)].join('\n')
}

/** What was found, each with its command under it. */
function verdict({ findings, usable }: Diagnosis): string[] {
  const lines = findings.flatMap(({ severity, message, command }) => {
    const colour = severity === 'problem' ? pc.red : pc.yellow
    return command ? [colour(message), `  ${pc.bold(command)}`] : [colour(message)]
  })
  return [...lines, ...(usable ? [pc.green('ready')] : [])]
}

function placeLine({ where, found, problem }: LibtorchSearch['places'][number], { chosen }: LibtorchSearch): string {
  if (!found) return pc.dim(`${where}: ${problem}`)
  const used = found.lib === chosen?.lib
  return `${used ? pc.green('uses') : 'also'} ${found.lib} (${found.version ?? 'version unknown'}, ${where})`
}
