import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { type Example, type LoadOptions, SoftPrompt, T5, type TuneEvent, type TuneOptions } from '../../src/index.js'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** A real, small T5 with a tokenizer. Nothing may depend on what it answers. */
export const NANO = join(ROOT, 'models', 'nano-t5')

/** A T5 with random weights, d_model 48, 120 tokens, and no tokenizer. */
export const TINY = join(ROOT, 'test', 'fixtures', 't5-v1.1')

const open: T5[] = []
afterAll(async () => {
  await Promise.all(open.splice(0).map((t5) => t5.dispose()))
})

/** In float32 on one thread of the processor, disposed of after the file's tests. */
export async function load(source: string, options: LoadOptions = {}): Promise<T5> {
  const t5 = await T5.load(source, { device: 'cpu', dtype: 'float32', threads: 1, ...options })
  open.push(t5)
  return t5
}

/** A folder that is gone after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'softprompt-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Six examples for the tiny model: the target is told by the last token. */
export const TINY_EXAMPLES: Example[] = Array.from({ length: 6 }, (_, i) => ({
  input: [10 + i, 30 + 2 * i, 50 + (i % 2), 1],
  target: [60 + (i % 2), 1],
}))

export function snips(part: 'train' | 'validation' | 'test', rows: number): Example[] {
  const lines = readFileSync(join(ROOT, 'examples', 'snips', `${part}.jsonl`), 'utf8').split('\n')
  return lines.slice(0, rows).map((line) => JSON.parse(line) as Example)
}

export const TINY_RUN: TuneOptions = { train: TINY_EXAMPLES, prompt: { length: 4 }, steps: 6, batchSize: 3, seed: 7 }

export async function collect<Event = TuneEvent>(events: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = []
  for await (const event of events) all.push(event)
  return all
}

/** A prompt of the given width with numbers that are not all alike. */
export function wavyPrompt(rows: number, dModel: number, metadata?: Record<string, string>): SoftPrompt {
  const data = Float32Array.from({ length: rows * dModel }, (_, i) => Math.sin(i + 1) / 2)
  return SoftPrompt.fromArray(data, { rows, dModel, ...(metadata && { metadata }) })
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string; partial?: unknown }> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  if (!outcome) throw new Error('it did not reject')
  return outcome.error as Error
}
