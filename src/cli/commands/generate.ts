import { createInterface } from 'node:readline'
import { type Command, InvalidArgumentError } from 'commander'
import { OptionError } from '../../errors.js'
import type { T5 } from '../../model.js'
import type { GenerateOptions } from '../../options/generate.js'
import type { AnyPrompt } from '../../prompt.js'
import type { QueryRow } from '../../query.js'
import { integer, list, real, repeated } from '../arguments.js'
import { batches } from '../batches.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions, modelOption, withLoaded } from '../load.js'
import { note, print, write } from '../output.js'
import { loadPrompts, type PromptFlags, promptOptions } from '../prompts.js'

type Option =
  | 'maxNewTokens'
  | 'minNewTokens'
  | 'numBeams'
  | 'lengthPenalty'
  | 'earlyStopping'
  | 'numReturnSequences'
  | 'doSample'
  | 'temperature'
  | 'topK'
  | 'topP'
  | 'seed'
  | 'repetitionPenalty'
  | 'noRepeatNgramSize'
  | 'badWords'
  | 'labels'
  | 'stop'

interface GenerateFlags extends ModelFlags, PromptFlags, Pick<GenerateOptions, Option> {
  stream?: boolean
  json?: boolean
  repeatNgramSize?: number | boolean
}

const EXAMPLES = `
Examples:
  softprompt generate --model models/nano-t5 --prompt task.safetensors "play some jazz" "rate this book four stars"
  softprompt generate --model models/nano-t5 --prompt task.safetensors < inputs.txt > outputs.txt
  softprompt generate --model models/nano-t5 --num-beams 4 --num-return-sequences 4 "play some jazz"
  softprompt generate --model models/nano-t5 --do-sample --temperature 0.8 --top-p 0.9 --seed 1 "play some jazz"
  softprompt generate --model models/nano-t5 --prompt task.safetensors --labels "music,weather,book" "play some jazz"

Outputs come one a line, in the order of the inputs; with --num-return-sequences N, each input has N lines, the best first. With --json, each line is
{"input": ..., "text": ..., "tokens": [...], "logProb": ..., "finishReason": ..., "usage": {...}}; with several prompts also "agreement", the share of
them whose output it is, and "outputs", each prompt's own.
docs/decoding.md explains every option.`

/** Inputs that are decoded together. */
const BATCH = 64

export function generateCommand(root: Command): void {
  const command = promptOptions(modelOption(root.command('generate')), 'answers')
    .description('use a prompt: the output for each TEXT, or for each line of stdin where no TEXT is given')
    .argument('[TEXT...]', 'inputs')
    .option('--max-new-tokens <N>', 'longest output, in tokens (default: 128)', integer)
    .option('--min-new-tokens <N>', 'an output cannot end before so many tokens (default: 0)', integer)
    .option('--stop <text>', 'end an output before this text; repeat for several', repeated)
    .option('--labels <a,b>', 'only these texts can come out', list)
    .option('--num-beams <N>', 'beam search: pursue the N best outputs at a time (default: 1, greedy)', integer)
    .option('--length-penalty <X>', 'beam search: above 0 favours long outputs, below 0 short ones (default: 1)', real)
    .option('--early-stopping <when>', 'beam search ends with N outputs at once (true), by a guess (false) or late (never)', earlyStopping)
    .option('--do-sample', 'draw tokens by their probability instead of taking the likeliest')
    .option('--temperature <X>', 'sampling: below 1 keeps to the likely, above 1 dares more (default: 1)', real)
    .option('--top-k <N>', 'sampling: only among the N likeliest tokens (default: 0, all)', integer)
    .option('--top-p <X>', 'sampling: only among the likeliest tokens that have this share of the probability (default: 1)', real)
    .option('--seed <N>', 'sampling: the same seed gives the same outputs (default: another each time)', integer)
    .option('--num-return-sequences <N>', 'outputs for each input: samples, or the best beams (default: 1)', integer)
    .option('--repetition-penalty <X>', 'above 1 makes tokens that came already less likely (default: 1)', real)
    .option('--no-repeat-ngram-size <N>', 'no N tokens come twice in the same order (default: 0, no such rule)', integer)
    .option('--bad-words <a,b>', 'texts that must not come out', list)
    .option('--stream', 'show each output while it is made')
    .option('--json', 'one JSON object a line')
    .addHelpText('after', EXAMPLES)
    .action((texts: string[], flags: GenerateFlags) => interruptible((signal) => generateAll(texts, flags, signal)))
  machineOptions(command)
}

async function generateAll(texts: string[], flags: GenerateFlags, signal: AbortSignal): Promise<void> {
  if (flags.stream && flags.json)
    throw new OptionError('OPTION_INVALID', 'generate: --stream writes text as it is made, and --json whole outputs; give one of them.')
  const prompt = await loadPrompts(flags)
  await withLoaded(flags, signal, async (t5) => {
    let done = 0
    for await (const inputs of texts.length > 0 ? [texts] : stdinBatches(signal)) {
      await answer(t5, inputs, done, prompt, flags, signal)
      done += inputs.length
    }
    signal.throwIfAborted() // an interrupted stdin just ends
  })
}

function stdinBatches(signal: AbortSignal): AsyncIterable<string[]> {
  if (process.stdin.isTTY) note('Type an input a line; Ctrl-D ends.')
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
  signal.addEventListener('abort', () => lines.close())
  return batches(lines, BATCH)
}

async function answer(
  t5: T5,
  inputs: string[],
  first: number,
  prompt: AnyPrompt | null,
  flags: GenerateFlags,
  signal: AbortSignal,
): Promise<void> {
  const options = { ...decodingOptions(flags), prompt, signal }
  // Each input draws by a seed of its own, whatever inputs it happens to be decoded with.
  const queries = inputs.map((input, i) => (flags.seed === undefined ? { input } : { input, seed: flags.seed + first + i }))
  if (flags.stream) return streamAll(t5, queries, options)
  const generations = await t5.generate(queries, options)
  const each = generations.length / inputs.length
  for (const [i, generation] of generations.entries()) {
    const { text, tokens, logProb, finishReason, usage, ensemble } = generation
    const agreement = ensemble && { agreement: ensemble.agreement, outputs: ensemble.members.map((member) => member.text) }
    const input = inputs[Math.floor(i / each)]
    await print(flags.json ? JSON.stringify({ input, text, tokens: [...tokens], logProb, finishReason, usage, ...agreement }) : text)
  }
}

async function streamAll(t5: T5, queries: readonly QueryRow[], options: GenerateOptions): Promise<void> {
  for (const query of queries) {
    for await (const { text } of t5.stream(query, options)) await write(text)
    await write('\n')
  }
}

/** The flags that are options of the API. */
function decodingOptions(flags: GenerateFlags): GenerateOptions {
  const { prompt: _prompt, model: _model, device: _device, dtype: _dtype, threads: _threads, trust: _trust, ...rest } = flags
  const { stream: _stream, json: _json, repeatNgramSize, ...options } = rest
  // The parser takes '--no-…' for the negation of '--repeat-ngram-size', which is then true where it was not given.
  return typeof repeatNgramSize === 'number' ? { ...options, noRepeatNgramSize: repeatNgramSize } : options
}

function earlyStopping(value: string): boolean | 'never' {
  if (value === 'true' || value === 'false') return value === 'true'
  if (value === 'never') return value
  throw new InvalidArgumentError('It must be true, false or never.')
}
