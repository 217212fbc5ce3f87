import { ConfigError } from './errors.js'

/** The config.json of a T5 with camelCase names and its defaults filled in; `raw` holds the file's own fields. */
export interface T5Config {
  modelType: string
  dModel: number
  dKv: number
  dFf: number
  numLayers: number
  numDecoderLayers: number
  numHeads: number
  vocabSize: number
  relativeAttentionNumBuckets: number
  relativeAttentionMaxDistance: number
  layerNormEpsilon: number
  dropoutRate: number
  feedForwardProj: string
  padTokenId: number
  eosTokenId: number
  decoderStartTokenId: number
  /** Every other field of the file, its name in camelCase. */
  [field: string]: unknown
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
