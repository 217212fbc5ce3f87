import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { OptionError } from '../../errors.js'
import type { Device } from '../../load.js'
import { T5 } from '../../model.js'
import { type AdaptOptions, type AdaptPreset, resolveAdapt } from '../../options/adapt.js'
import { type DocumentUnit, resolveText, type TextFiles, type TextFormat } from '../../text/source.js'
import { integer, objective, real, repeated } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions, withLoaded } from '../load.js'
import { checkTrainingFlags, choosingOptions, outOptions, type TrainingFlags, train, trainingOf, trainingOptions } from '../training.js'

interface AdaptFlags extends Omit<ModelFlags, 'model'>, TrainingFlags {
  model?: string
  config?: string
  tokenizer?: string
  text: string[]
  validation?: string[]
  heldOut?: number
  objective?: AdaptOptions['objective']
  preset?: AdaptPreset
  windowLength?: number
  shuffleBuffer?: number
  column?: string
  documents?: DocumentUnit
  format?: TextFormat
}

const EXAMPLES = `
Examples:
  softprompt adapt --model google/t5-small --text books/ --held-out 0.01 --out t5-small-lm
  softprompt adapt --config config.json --tokenizer models/nano-t5 --text books.txt --objective span-corruption --out new-t5
  softprompt adapt ... --objective prefix-lm:0.5,span-corruption:0.5
  zcat wiki.jsonl.gz | softprompt adapt --model models/nano-t5 --text - --format jsonl --out nano-wiki

A folder stands for all its .txt, .jsonl, .json, .csv, .tsv and .parquet files. Files of more than 256 MB together, and standard input, are read as they are
needed. Ctrl-C stops the run, saves the best weights so far to --out and ends with exit code 130.`

export function adaptCommand(root: Command): void {
  const command = root
    .command('adapt')
    .description('train all parameters of a model on plain text: adapt it to a language model, or train a new one')
    .option('-m, --model <M>', 'the model to start from: a folder, a .pt file, or a hub id in the local cache')
    .option('--config <F>', 'or a new model with random weights: its config.json')
    .option('--tokenizer <folder>', "with --config: a folder with the tokenizer's files")
    .requiredOption('--text <F>', 'what to learn from: a file or a folder; repeat for several; - for standard input', repeated)
  outOptions(command)
    .optionsGroup('Text:')
    .option('--validation <F>', 'text to measure the loss on; repeat for several', repeated)
    .option('--held-out <share>', 'draw this share of the windows for it, by the seed (0.01)', real)
    .option('--column <name>', 'the field that is the text, of rows (default: text)')
    .option('--documents <unit>', 'what a document of a .txt file is: line, paragraph or file (default: line)')
    .option('--format <name>', "txt, jsonl, json, csv, tsv or parquet (default: what a file's name ends in; txt for -)")
    .option('--window-length <N>', 'tokens of the longest input (default: 512)', integer)
    .option('--shuffle-buffer <N>', 'windows among which the next is drawn, of text that is not held in memory (default: 4096)', integer)
    .optionsGroup('Objective:')
    .option(
      '--objective <name>',
      'prefix-lm, span-corruption, or the share of each: prefix-lm:0.5,span-corruption:0.5 (default: prefix-lm)',
      objective,
    )
    .option('--preset <name>', "adaptation, or pretraining with T5's schedule (default: pretraining with --config, else adaptation)")
  trainingOptions(command, { rate: "0.001, or 0.01 by T5's schedule", dropout: '0' })
  choosingOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: AdaptFlags) => interruptible((signal) => adapt(flags, signal)))
  machineOptions(command)
}

async function adapt(flags: AdaptFlags, signal: AbortSignal): Promise<void> {
  const options = { ...optionsOf(flags), signal }
  checkModelFlags(flags)
  resolveAdapt(options)
  await checkTrainingFlags(flags)
  await resolveText(options.text as TextFiles)
  if (options.validation) await resolveText(options.validation as TextFiles)
  await withModel(flags, signal, (t5) => train(t5, t5.adapt(options), flags))
}

function optionsOf(flags: AdaptFlags): AdaptOptions {
  const { column, documents, format, heldOut, objective, preset, windowLength, shuffleBuffer } = flags
  const text = (path: string[] | undefined) => path && { path, column, documents, format }
  const own = { heldOut, objective, preset, windowLength, shuffleBuffer }
  return { ...trainingOf(flags), ...own, text: text(flags.text), validation: text(flags.validation) } as AdaptOptions
}

function checkModelFlags({ model, config, tokenizer, trust, dtype }: AdaptFlags): void {
  const wrong = (message: string) => new OptionError('OPTION_INVALID', message)
  if ((model === undefined) === (config === undefined))
    throw wrong('Give either --model, the model to start from, or --config, for a new one.')
  if (config !== undefined && tokenizer === undefined)
    throw wrong("A new model needs --tokenizer, a folder with the tokenizer's files, to read text by.")
  if (config === undefined && tokenizer !== undefined)
    throw wrong('--tokenizer is for a new model (--config): a model that is loaded has its own.')
  if (config !== undefined && trust) throw wrong('--trust is for a .pt file that is loaded (--model).')
  if (config !== undefined && dtype === 'auto') throw wrong('With --config, --dtype is float32 or bfloat16.')
  for (const path of [config, tokenizer])
    if (path !== undefined && !existsSync(path)) throw wrong(`There is no ${path === config ? 'config' : 'tokenizer'} at ${path}.`)
}

async function withModel(flags: AdaptFlags, signal: AbortSignal, work: (t5: T5) => Promise<void>): Promise<void> {
  const { model, config, tokenizer, device, dtype, threads, seed } = flags
  if (model !== undefined) return withLoaded({ ...flags, model }, signal, work)
  const given = { tokenizer, device: device as Device, dtype: dtype as 'float32' | 'bfloat16', threads, seed, signal }
  const t5 = await T5.create(config as string, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)))
  try {
    await work(t5)
  } finally {
    await t5.dispose()
  }
}
