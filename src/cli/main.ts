#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { VERSION } from '../version.js'
import { adaptCommand } from './commands/adapt.js'
import { convertCommand } from './commands/convert.js'
import { demoCommand } from './commands/demo.js'
import { doctorCommand } from './commands/doctor.js'
import { evaluateCommand } from './commands/evaluate.js'
import { explainCommand } from './commands/explain.js'
import { finetuneCommand } from './commands/finetune.js'
import { generateCommand } from './commands/generate.js'
import { inspectCommand } from './commands/inspect.js'
import { libtorchCommand } from './commands/libtorch.js'
import { pullCommand } from './commands/pull.js'
import { studyCommand } from './commands/study.js'
import { tuneCommand } from './commands/tune.js'
import { ExitCode, exitCodeOf, explain } from './failure.js'

const EPILOGUE = `
Examples:
  softprompt demo                                             learn a task with the model in this package, offline
  softprompt tune --model models/nano-t5 --train train.jsonl --validation dev.jsonl --out task.safetensors
  softprompt evaluate --model models/nano-t5 --prompt task.safetensors --data test.jsonl
  softprompt generate --model models/nano-t5 --prompt task.safetensors "play some jazz"

A data file holds one example a line: {"input": "play some jazz", "target": "music"}; or CSV/TSV with the columns input and target.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C; what was learned is saved).
Results go to stdout, everything else to stderr. With --json, stdout holds JSON alone.`

function program(): Command {
  const root = new Command('softprompt')
    .description('Prompt tuning for T5: teach a frozen model a task by a few learned rows in front of its input.')
    .version(VERSION)
    .option('--verbose', 'show where in the code an error comes from')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .addHelpText('after', EPILOGUE)
    .exitOverride()
  const commands = [
    demoCommand,
    doctorCommand,
    pullCommand,
    tuneCommand,
    adaptCommand,
    finetuneCommand,
    generateCommand,
    evaluateCommand,
    explainCommand,
    studyCommand,
    convertCommand,
    inspectCommand,
    libtorchCommand,
  ]
  for (const add of commands) add(root)
  return root
}

async function main(): Promise<number> {
  const root = program()
  try {
    await root.parseAsync()
    return process.exitCode === undefined ? ExitCode.done : Number(process.exitCode)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage
    process.stderr.write(`${explain(error, root.opts().verbose === true || process.env.SOFTPROMPT_DEBUG !== undefined)}\n`)
    return exitCodeOf(error)
  }
}

process.exitCode = await main()
