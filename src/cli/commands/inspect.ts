import type { Command } from 'commander'
import pc from 'picocolors'
import { type Inspection, inspectFile } from '../../inspect.js'
import { count, print } from '../output.js'

const EXAMPLES = `
Examples:
  softprompt inspect task.safetensors       a prompt: its shape, the lengths of its rows, what it was tuned on
  softprompt inspect models/nano-t5/model.safetensors`

export function inspectCommand(root: Command): void {
  root
    .command('inspect')
    .description('what is in a file: a prompt, a checkpoint of a run, or a model (.safetensors, .pt)')
    .argument('<FILE>', 'the file')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: { json?: boolean }) => {
      const inspection = await inspectFile(file)
      await print(flags.json ? JSON.stringify(inspection) : text(file, inspection))
    })
}

function text(file: string, { kind, tensors, parameters, metadata, rowNorms }: Inspection): string {
  const width = Math.max(...tensors.map(({ name }) => name.length))
  const shown = tensors.map(({ name, dtype, shape }) => `  ${name.padEnd(width)} ${dtype.padEnd(9)} ${shape.join(' x ')}`)
  const norms = rowNorms && `row norms: mean ${rowNorms.mean.toFixed(2)}, min ${rowNorms.min.toFixed(2)}, max ${rowNorms.max.toFixed(2)}`
  const facts = Object.entries(metadata).map(([name, value]) => `  ${name}: ${value.length > 300 ? `${value.slice(0, 297)}...` : value}`)
  const parts = [
    `${pc.bold(file)}: ${kind}, ${count(parameters)} numbers in ${tensors.length} tensor${tensors.length === 1 ? '' : 's'}`,
    ...shown,
    ...(norms ? [norms] : []),
    ...(facts.length > 0 ? ['metadata:', ...facts] : []),
  ]
  return parts.join('\n')
}
