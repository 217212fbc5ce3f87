import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import type { T5 } from '../../model.js'
import type { GenerateOptions } from '../../options/generate.js'
import { SoftPrompt } from '../../prompt.js'
import { integer, real, repeated } from '../arguments.js'
import { batches } from '../batches.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions, modelOption, withLoaded } from '../load.js'
import { note, print } from '../output.js'

interface GenerateFlags
  extends ModelFlags,
    Pick<GenerateOptions, 'maxNewTokens' | 'minNewTokens' | 'numBeams' | 'stop' | 'temperature' | 'seed'> {
  prompt?: string
  json?: boolean
}

const EXAMPLES = `
Examples:
  softprompt generate --model models/nano-t5 --prompt task.safetensors "play some jazz" "rate this book four stars"
  softprompt generate --model models/nano-t5 --prompt task.safetensors < inputs.txt > outputs.txt

Outputs come one a line, in the order of the inputs. With --json, each line is
{"input": ..., "text": ..., "tokens": [...], "logProb": ..., "finishReason": ..., "usage": {...}}.`

/** Inputs that are decoded together. */
const BATCH = 64

export function generateCommand(root: Command): void {
  const command = modelOption(root.command('generate'))
    .description('use a prompt: the output for each TEXT, or for each line of stdin where no TEXT is given')
    .argument('[TEXT...]', 'inputs')
    .option('-p, --prompt <P>', 'the soft prompt; without one the bare model answers')
    .option('--max-new-tokens <N>', 'longest output (default: 128)', integer)
    .option('--min-new-tokens <N>', 'shortest output (default: 0)', integer)
    .option('--num-beams <N>', 'only 1 is implemented', integer)
    .option('--stop <text>', 'end an output before this text; repeat for several', repeated)
    .option('--temperature <X>', 'has no effect on greedy decoding', real)
    .option('--json', 'one JSON object a line')
    .addHelpText('after', EXAMPLES)
    .action((texts: string[], flags: GenerateFlags) => interruptible((signal) => generateAll(texts, flags, signal)))
  machineOptions(command)
}

async function generateAll(texts: string[], flags: GenerateFlags, signal: AbortSignal): Promise<void> {
  const prompt = flags.prompt === undefined ? null : await SoftPrompt.load(flags.prompt)
  await withLoaded(flags, signal, async (t5) => {
    for await (const inputs of texts.length > 0 ? [texts] : stdinBatches(signal)) await answer(t5, inputs, prompt, flags, signal)
    signal.throwIfAborted() // an interrupted stdin just ends
  })
}

function stdinBatches(signal: AbortSignal): AsyncIterable<string[]> {
  if (process.stdin.isTTY) note('Type an input a line; Ctrl-D ends.')
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
  signal.addEventListener('abort', () => lines.close())
  return batches(lines, BATCH)
}

async function answer(t5: T5, inputs: string[], prompt: SoftPrompt | null, flags: GenerateFlags, signal: AbortSignal): Promise<void> {
  const { maxNewTokens, minNewTokens, numBeams, stop, temperature } = flags
  const generations = await t5.generate(inputs, { prompt, maxNewTokens, minNewTokens, numBeams, stop, temperature, signal })
  for (const [i, generation] of generations.entries()) {
    const { text, tokens, logProb, finishReason, usage } = generation
    await print(flags.json ? JSON.stringify({ input: inputs[i], text, tokens: [...tokens], logProb, finishReason, usage }) : text)
  }
}
