import type { Command } from 'commander'
import type { DataFormat, ExampleSource } from '../dataset.js'
import { integer } from './arguments.js'

export interface SourceFlags {
  input?: string
  target?: string
  inputColumn?: string
  targetColumn?: string
  format?: DataFormat
  sample?: number
}

export interface LengthFlags {
  maxInputLength?: number
  maxTargetLength?: number
}

/** How the rows of a data file are read; shown below a command's own flags. */
export function sourceOptions(command: Command): Command {
  return command
    .optionsGroup('Data:')
    .option('--input <template>', "the input, made of a row's fields: 'question: {q} context: {c}'")
    .option('--target <template>', "the target likewise: '{answer}'")
    .option('--input-column <name>', 'the field that is the input (default: input)')
    .option('--target-column <name>', 'the field that is the target (default: target)')
    .option('--format <name>', "jsonl, json, csv, tsv or parquet (default: what the file's name ends in; jsonl for -)")
    .option('--sample <N>', 'so many of the rows only, drawn evenly: the file (of tune, --train) may be larger than memory', integer)
}

/** Where token ids of examples are cut. */
export function lengthOptions(command: Command): Command {
  return command
    .option('--max-input-length <N>', 'longer inputs are cut (default: 512)', integer)
    .option('--max-target-length <N>', 'longer targets are cut (default: 128)', integer)
}

/** A file (or - for standard input) with what the flags say of its fields. */
export function sourceOf(path: string, { input, target, inputColumn, targetColumn, format, sample }: SourceFlags): ExampleSource {
  const columns = { ...(inputColumn !== undefined && { input: inputColumn }), ...(targetColumn !== undefined && { target: targetColumn }) }
  const given = [input, target, inputColumn, targetColumn, format, sample].some((flag) => flag !== undefined)
  if (!given) return path
  return {
    path,
    ...(format && { format }),
    ...(input !== undefined && { input }),
    ...(target !== undefined && { target }),
    sample,
    columns,
  }
}
