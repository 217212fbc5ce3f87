export { type EncodeManyOptions, encodeMany } from './encode-many.js'
export { loadTokenizer } from './load.js'
export type { DecodeOptions, EncodeOptions, Ids, StreamDecoder, Tokenizer } from './tokenizer.js'
