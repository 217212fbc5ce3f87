import { ConfigError } from './errors.js'

/** The config.json of a T5 with camelCase names and its defaults filled in; `raw` holds the file's own fields. */
export interface T5Config {
  /** 't5', 'mt5', 'umt5' ...: config.json's `model_type`. */
  modelType: string
  /** Width of the embeddings, and so of a prompt's rows. */
  dModel: number
  /** Width of a head: of its queries, keys and values. */
  dKv: number
  /** Width of the feed-forward layers. */
  dFf: number
  /** Blocks of the encoder. */
  numLayers: number
  /** Blocks of the decoder. */
  numDecoderLayers: number
  /** Heads of each attention. */
  numHeads: number
  /** Rows of the embedding. Token ids are in `[0, vocabSize)`; a tokenizer may know fewer. */
  vocabSize: number
  /** Buckets that distances between positions fall into; each has a learned bias a head. */
  relativeAttentionNumBuckets: number
  /** Distances of so many positions and more share a bucket. */
  relativeAttentionMaxDistance: number
  /** What RMSNorm adds to the mean square. */
  layerNormEpsilon: number
  /** What the model was pre-trained with. Nothing here uses it: `tune` has an option of its own. */
  dropoutRate: number
  /** 'relu' (v1.0) or 'gated-gelu' (v1.1 and later). */
  feedForwardProj: string
  /** Id of `<pad>`. */
  padTokenId: number
  /** Id of `</s>`, which ends a text. */
  eosTokenId: number
  /** Id that the decoder begins with. */
  decoderStartTokenId: number
  /** Every other field of the file, its name in camelCase. */
  [field: string]: unknown
  /** The file's fields as they are, by their own names. */
  raw: Readonly<Record<string, unknown>>
}

const DEFAULTS = {
  modelType: 't5',
  relativeAttentionNumBuckets: 32,
  relativeAttentionMaxDistance: 128,
  layerNormEpsilon: 1e-6,
  dropoutRate: 0.1,
  feedForwardProj: 'relu',
  padTokenId: 0,
  eosTokenId: 1,
  decoderStartTokenId: 0,
}

/** `json` comes from the native module, which has checked the fields that the maths needs. */
export function t5Config(json: string): T5Config {
  const raw: unknown = JSON.parse(json)
  if (typeof raw !== 'object' || raw === null) throw new ConfigError('CONFIG_INVALID', "The model's config is not a JSON object.")
  const given = Object.entries(raw).filter(([, value]) => value !== null)
  const fields = Object.fromEntries(given.map(([name, value]) => [camelCase(name), value]))
  const config = { ...DEFAULTS, numDecoderLayers: fields.numLayers, ...fields, raw: Object.freeze(raw) }
  return Object.freeze(config) as unknown as T5Config
}

function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())
}
