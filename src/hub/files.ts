/** Which files of a repository a T5 needs. Only those in its root are looked at. */

const ALWAYS = new Set([
  'config.json',
  'generation_config.json',
  'spiece.model',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
])

/** Forms of the weights, the best first: in one file, or in shards that an index lists. */
const WEIGHTS = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json']

export interface WantedFiles {
  /** Config, tokenizer. */
  small: string[]
  /** The weights, or the index of their shards; undefined where the repository has none that can be read. */
  weights: string | undefined
}

export function wantedFiles(names: readonly string[]): WantedFiles {
  const weights = WEIGHTS.find((name) => names.includes(name))
  return { small: names.filter((name) => ALWAYS.has(name)), weights }
}

export const isIndex = (name: string) => name.endsWith('.index.json')

/** The shards that an index names; undefined if it is not one. */
export function shardsOf(index: string): string[] | undefined {
  let map: unknown
  try {
    map = (JSON.parse(index) as { weight_map?: unknown } | null)?.weight_map
  } catch {
    return undefined
  }
  if (typeof map !== 'object' || map === null) return undefined
  const shards = [...new Set(Object.values(map))]
  const sound = shards.length > 0 && shards.every((name) => typeof name === 'string' && /^[\w-][\w.-]*$/.test(name))
  return sound ? (shards as string[]).sort() : undefined
}
