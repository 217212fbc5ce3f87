import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export const FIXTURES = 'test/fixtures/tokenizer'

export const MODEL_FOLDERS = {
  t5: join(FIXTURES, 't5'),
  tiny26: join(FIXTURES, 'tiny26'),
  bytes: join(FIXTURES, 'small/bytes'),
  suffix: join(FIXTURES, 'small/suffix'),
  'nano-t5': 'models/nano-t5',
}

export type ModelName = keyof typeof MODEL_FOLDERS

export interface Expected {
  difficult: string[]
  special: { text: string; ids: number[] }[]
  models: Record<ModelName, ExpectedOfModel>
}

interface ExpectedOfModel {
  texts: number[]
  textsDecoded: number[]
  snips: number[]
  difficult: number[][]
  decoded: { ids: number[]; text: string }[]
}

const readJson = (name: string) => JSON.parse(gunzipSync(readFileSync(join(FIXTURES, name))).toString('utf8'))

export const readTexts = () => readJson('texts.json.gz') as string[]
export const readExpected = () => readJson('expected.json.gz') as Expected

/** 32-bit FNV-1a over the values as little-endian 32-bit integers. */
export function hashOf(values: Iterable<number>): number {
  let hash = 0x811c9dc5
  for (const value of values) {
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((value >>> shift) & 0xff), 0x01000193) >>> 0
  }
  return hash
}
