import type { Command } from 'commander'
import type { DataFormat, ExampleSource } from '../dataset.js'

export interface SourceFlags {
  input?: string
  target?: string
  inputColumn?: string
  targetColumn?: string
  format?: DataFormat
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
}

/** A file (or - for standard input) with what the flags say of its fields. */
export function sourceOf(path: string, { input, target, inputColumn, targetColumn, format }: SourceFlags): ExampleSource {
  const columns = { ...(inputColumn !== undefined && { input: inputColumn }), ...(targetColumn !== undefined && { target: targetColumn }) }
  const given = [input, target, inputColumn, targetColumn, format].some((flag) => flag !== undefined)
  if (!given) return path
  return { path, ...(format && { format }), ...(input !== undefined && { input }), ...(target !== undefined && { target }), columns }
}
