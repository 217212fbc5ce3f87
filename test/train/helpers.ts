import { join } from 'node:path'
import { type AdaptOptions, type FinetuneOptions, T5 } from '../../src/index.js'
import { load, NANO, ROOT, TINY, TINY_EXAMPLES } from '../api/helpers.js'

/** Sentences of a small grammar: easy to become better at. */
export const SENTENCES = Array.from({ length: 240 }, (_, i) => {
  const [who, what, where] = [
    ['the cat', 'a dog', 'my friend', 'the bird'][i % 4],
    ['sees', 'likes', 'finds'][i % 3],
    ['house', 'garden', 'river', 'tree', 'road'][i % 5],
  ]
  return `${who} ${what} the old ${where}.`
})

/** Two layers each way, with the tokenizer of nano-t5. */
export const SMALL_CONFIG = { vocab_size: 32_128, d_model: 32, d_ff: 64, num_layers: 2, num_heads: 2 }

const ON_ONE_THREAD = { device: 'cpu', dtype: 'float32', threads: 1 } as const

export function create(options: Parameters<typeof T5.create>[1] = {}): Promise<T5> {
  return T5.create(SMALL_CONFIG, { tokenizer: NANO, ...ON_ONE_THREAD, seed: 3, ...options })
}

export const tiny = () => load(TINY)

/** A model of bytes: its vocabulary is small, so that steps are fast. */
export function createOfBytes(): Promise<T5> {
  return T5.create({ ...SMALL_CONFIG, vocab_size: 384 }, { tokenizer: join(ROOT, 'test', 'fixtures', 'byt5'), ...ON_ONE_THREAD, seed: 3 })
}

/** A run on the tiny model that takes moments. */
export const TINY_FINETUNE: FinetuneOptions = { train: TINY_EXAMPLES, steps: 6, batchSize: 3, seed: 7 }

/** Documents of token ids for the tiny model. */
export const TINY_TEXT = Array.from({ length: 60 }, (_, i) => [10 + (i % 20), 11 + (i % 20), 12 + (i % 20), 40 + (i % 7)])

export const TINY_ADAPT: AdaptOptions = { text: TINY_TEXT, windowLength: 12, steps: 6, batchSize: 3, seed: 7 }

/** What a model answers, by its scores of given targets. */
export async function scoresOf(model: T5): Promise<number[]> {
  const rows = [1, 5, 9].map((i) => ({ input: [10 + i, 20, 1], target: [60 + i, 30, 1] }))
  return (await model.score(rows)).map(({ logProb }) => logProb)
}
