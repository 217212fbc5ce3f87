import type { Command } from 'commander'
import pc from 'picocolors'
import { type Inspection, inspectFile } from '../../inspect.js'
import { count, memoryText, print } from '../output.js'

const FORMATS = { softprompt: 'of this package', npy: 'NumPy, as of Google', peft: 'of the PEFT library' }

const EXAMPLES = `
Examples:
  softprompt inspect task.safetensors       a prompt: its shape, the lengths of its rows, what it was tuned on
  softprompt inspect adapter/                a prompt of the PEFT library
  softprompt inspect models/nano-t5/model.safetensors`

export function inspectCommand(root: Command): void {
  root
    .command('inspect')
    .description('what is in a prompt (ours, .npy, PEFT folder), a checkpoint of a run, or a model, and the memory that a model will take')
    .argument('<FILE>', 'the file or folder')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: { json?: boolean }) => {
      const inspection = await inspectFile(file)
      await print(flags.json ? JSON.stringify(inspection) : text(file, inspection))
    })
}

function text(file: string, { kind, format, tensors, parameters, metadata, rowNorms, unusedRows, memory }: Inspection): string {
  const width = Math.max(0, ...tensors.map(({ name }) => name.length))
  const shown = tensors.map(({ name, dtype, shape }) => `  ${name.padEnd(width)} ${dtype.padEnd(9)} ${shape.join(' x ')}`)
  const norms = rowNorms && `row norms: mean ${rowNorms.mean.toFixed(2)}, min ${rowNorms.min.toFixed(2)}, max ${rowNorms.max.toFixed(2)}`
  const facts = Object.entries(metadata).map(([name, value]) => `  ${name}: ${value.length > 300 ? `${value.slice(0, 297)}...` : value}`)
  const parts = [
    `${pc.bold(file)}: ${kind}${format ? ` (${FORMATS[format]})` : ''}, ${count(parameters)} numbers in ${tensors.length} tensor${tensors.length === 1 ? '' : 's'}`,
    ...shown,
    ...(memory ? [`memory once loaded: ${memoryText(memory)}`] : []),
    ...(norms ? [norms] : []),
    ...(unusedRows
      ? [`not used: the last ${unusedRows} rows, which PEFT makes for a decoder; a T5 has its prompt in the encoder alone`]
      : []),
    ...(facts.length > 0 ? ['metadata:', ...facts] : []),
  ]
  return parts.join('\n')
}
