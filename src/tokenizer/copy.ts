import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { namesBytes } from './load.js'

const FILES = ['spiece.model', 'tokenizer.json', 'tokenizer_config.json']

/** Copies the files that a tokenizer is loaded from, as far as they are there; whether there were any. */
export async function copyTokenizerFiles(from: string, to: string): Promise<boolean> {
  let found = await copyNameOfBytes(from, to)
  for (const file of FILES) {
    found = (await copied(join(from, file), join(to, file))) || found
  }
  return found
}

async function copied(from: string, to: string): Promise<boolean> {
  try {
    await cp(from, to, { dereference: true })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** ByT5's tokenizer may be no more than a name in config.json, which stays behind. Overwritten by a tokenizer_config.json, where there is one. */
async function copyNameOfBytes(from: string, to: string): Promise<boolean> {
  if (!(await namesBytes(from))) return false
  await writeFile(join(to, 'tokenizer_config.json'), `${JSON.stringify({ tokenizer_class: 'ByT5Tokenizer' })}\n`)
  return true
}
