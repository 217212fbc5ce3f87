import { join, relative } from 'node:path'
import Table from 'cli-table3'
import type { Command } from 'commander'
import pc from 'picocolors'
import type { Prediction } from '../../evaluate.js'
import { packageRoot } from '../../libtorch/load.js'
import { T5 } from '../../model.js'
import type { SoftPrompt } from '../../prompt.js'
import type { TuneResult, TuneRun } from '../../tune/run.js'
import { checkWritable } from '../../writable.js'
import { integer } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import { bytes, count, duration, note, percent, print } from '../output.js'
import { keepPartial } from '../partial.js'
import { progressView } from '../progress.js'

interface DemoFlags {
  steps: number
  length: number
  seed: number
  out: string
  json?: boolean
}

/** Enough for the task, and a few minutes on two processor cores. */
const STEPS = 500
const LENGTH = 100

const SHOWN = 7

export function demoCommand(root: Command): void {
  root
    .command('demo')
    .description('learn what people ask of an assistant (snips, 7 intents) with the model in this package; offline, a few minutes')
    .option('--steps <N>', 'steps of training', integer, STEPS)
    .option('--length <N>', 'rows of the prompt', integer, LENGTH)
    .option('--seed <N>', 'same seed, same prompt', integer, 0)
    .option('-o, --out <P>', 'where the prompt is saved', 'snips.safetensors')
    .option('--json', 'one JSON object with the figures')
    .action((flags: DemoFlags) => interruptible((signal) => demo(flags, signal)))
}

async function demo(flags: DemoFlags, signal: AbortSignal): Promise<void> {
  await checkWritable(flags.out, 'The prompt')
  const say = flags.json ? () => {} : note
  const t5 = await T5.load(modelFolder(), { signal })
  try {
    say(introduction(t5))
    const test = dataFile('test')
    const before = await t5.evaluate({ data: test, signal })
    say(
      `\n${pc.bold('Before')}: ${percent(before.metrics.accuracy ?? 0)} of the ${before.count} test inputs are answered with the right word.\n`,
    )
    const result = await tune(t5, flags, signal)
    await result.prompt.save(flags.out)
    const after = await t5.evaluate({ data: test, prompt: result.prompt, signal })
    const figures = { before: before.metrics.accuracy ?? 0, after: after.metrics.accuracy ?? 0, count: after.count }
    if (flags.json) await print(JSON.stringify({ ...figures, out: flags.out, report: result.report }))
    else await print(conclusion(t5, { ...figures, result, predictions: after.predictions }, flags))
  } finally {
    await t5.dispose()
  }
}

const modelFolder = () => join(packageRoot(), 'models', 'nano-t5')
const dataFile = (part: string) => join(packageRoot(), 'examples', 'snips', `${part}.jsonl`)

function introduction(t5: T5): string {
  return [
    `${pc.bold('softprompt demo')}: a frozen T5 learns a task from examples.`,
    '',
    `  model  nano-t5, ${count(t5.info.parameterCount)} parameters, frozen (${t5.dtype} on ${t5.device}, ${t5.info.threads} threads)`,
    '  task   snips: name the intent of a request, such as "play some jazz" -> "music"; 7 intents',
    '  learn  a soft prompt: a few rows of numbers in front of the embedded input, and nothing else',
  ].join('\n')
}

async function tune(t5: T5, flags: DemoFlags, signal: AbortSignal): Promise<TuneResult> {
  const { steps, length, seed } = flags
  const run: TuneRun = t5.tune({ train: dataFile('train'), validation: dataFile('validation'), prompt: { length }, steps, seed, signal })
  const view = progressView()
  try {
    for await (const event of run) if (!flags.json) view.show(event)
    return await run.result
  } catch (error) {
    view.close()
    await keepPartial(error, flags.out, ({ prompt }) => prompt.save(flags.out))
    throw error
  } finally {
    view.close()
  }
}

interface Conclusion {
  before: number
  after: number
  count: number
  result: TuneResult
  predictions: Prediction[]
}

function conclusion(t5: T5, { before, after, count: rows, result, predictions }: Conclusion, flags: DemoFlags): string {
  const { prompt, report } = result
  return [
    '',
    `${pc.bold('After')}: ${pc.green(percent(after))} of the ${rows} test inputs (before: ${percent(before)}); learned in ${duration(report.seconds)}.`,
    '',
    sizes(t5, prompt),
    '',
    predictionTable(predictions),
    '',
    `Saved to ${pc.bold(flags.out)}. Use it:`,
    `  npx softprompt generate --model ${relative('.', modelFolder())} --prompt ${flags.out} "play some jazz"`,
  ].join('\n')
}

function sizes(t5: T5, prompt: SoftPrompt): string {
  const learned = prompt.rows * prompt.dModel
  const share = learned / t5.info.parameterCount
  return [
    `  learned  ${count(learned).padStart(10)} numbers (${prompt.rows} rows x ${prompt.dModel}), ${bytes(4 * learned)}`,
    `  frozen   ${count(t5.info.parameterCount).padStart(10)} numbers, not changed by a bit; the prompt is ${percent(share, 2)} of it`,
  ].join('\n')
}

/** The first test input of each intent. */
function predictionTable(predictions: Prediction[]): string {
  const firsts = [...new Map(predictions.toReversed().map((prediction) => [prediction.target, prediction])).values()]
  const table = new Table({
    head: ['input', 'should be', 'is'],
    style: { head: ['bold'], border: ['dim'], compact: true },
    colWidths: [56, 13, 13],
  })
  for (const { input, target, prediction } of firsts.slice(0, SHOWN)) {
    table.push([input, target, prediction === target ? pc.green(prediction) : pc.red(prediction)])
  }
  return table.toString()
}
