import type { Command } from 'commander'
import { checkReadable } from '../../data/lines.js'
import type { Evaluation } from '../../evaluate.js'
import { metricList } from '../../options/metrics.js'
import { list } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions, modelOption, withLoaded } from '../load.js'
import { count, note, percent, print, warningLine } from '../output.js'
import { loadPrompts, type PromptFlags, promptOptions } from '../prompts.js'
import { type LengthFlags, lengthOptions, type SourceFlags, sourceOf, sourceOptions } from '../source.js'

interface EvaluateFlags extends ModelFlags, SourceFlags, LengthFlags, PromptFlags {
  data: string
  metric?: string[]
  labels?: string[]
  predictions?: boolean
  json?: boolean
}

const EXAMPLES = `
Examples:
  softprompt evaluate --model models/nano-t5 --prompt task.safetensors --data test.jsonl
  softprompt evaluate --model models/nano-t5 --prompt task.safetensors --data test.jsonl --json     {"metrics":{"accuracy":0.93},"count":700}

With --predictions the JSON has each row, and the share of outputs that are no label (invalid); of an ensemble, how far its prompts agree.
Without --labels an output counts as right if its text equals the target's. With --labels the model picks the likeliest of them.`

export function evaluateCommand(root: Command): void {
  const command = promptOptions(modelOption(root.command('evaluate')), 'is measured')
    .description('measure a prompt on examples that it was not tuned on')
    .requiredOption('--data <F>', 'examples: .jsonl, .json, .csv, .tsv or .parquet; - for standard input')
    .option('--metric <name>', 'metrics; repeat or use commas (default: accuracy)', list)
    .option('--labels <a,b>', 'choose among these', list)
  lengthOptions(command)
    .option('--predictions', 'show every input with its target and prediction (and, of an ensemble, the share of the prompts that agree)')
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((flags: EvaluateFlags) => interruptible((signal) => evaluate(flags, signal)))
  sourceOptions(command)
  machineOptions(command)
}

async function evaluate(flags: EvaluateFlags, signal: AbortSignal): Promise<void> {
  const prompt = await loadPrompts(flags)
  const data = sourceOf(flags.data, flags)
  const metrics = flags.metric && metricList(flags.metric, 'metrics')
  await checkReadable(flags.data)
  const { labels, maxInputLength, maxTargetLength } = flags
  await withLoaded(flags, signal, async (t5) => {
    const evaluation = await t5.evaluate({ data, prompt, metrics, labels, maxInputLength, maxTargetLength, signal })
    for (const { message } of evaluation.warnings ?? []) note(warningLine(message))
    await print(flags.json ? json(evaluation, flags) : text(evaluation, flags))
  })
}

function json(evaluation: Evaluation, flags: EvaluateFlags): string {
  const { metrics, count, agreement } = evaluation
  return JSON.stringify(flags.predictions ? evaluation : { metrics, count, ...(agreement !== undefined && { agreement }) })
}

function text(evaluation: Evaluation, flags: EvaluateFlags): string {
  const { metrics, invalid, agreement } = evaluation
  const rows = flags.predictions ? evaluation.predictions.map(line) : []
  const figures = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`)
  const told = [
    ...(invalid !== undefined ? [`${percent(invalid)} of the outputs are no label`] : []),
    ...(agreement !== undefined ? [`${percent(agreement)} of the prompts agree with the answer, on average`] : []),
  ]
  return [...rows, ...figures, `on ${count(evaluation.count)} examples`, ...told].join('\n')
}

function line({ input, target, prediction, ensemble }: Evaluation['predictions'][number]): string {
  return [input, target, prediction, ...(ensemble ? [ensemble.agreement.toFixed(2)] : [])].join('\t')
}
