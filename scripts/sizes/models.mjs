// The published models of T5's family: what their config.json has of their shapes, by Hugging Face's names.
// From Raffel et al. 2020, Xue et al. 2021 and 2022 (T5X's gin files), Chung et al. 2023, Tay et al. 2023, Kudugunta et al. 2023.

const shape = (d_model, d_ff, d_kv, num_heads, num_layers, num_decoder_layers = num_layers) => ({
  ...{ d_model, d_ff, d_kv, num_heads, num_layers, num_decoder_layers },
})

const V1_1 = {
  small: shape(512, 1024, 64, 6, 8),
  base: shape(768, 2048, 64, 12, 12),
  large: shape(1024, 2816, 64, 16, 24),
  xl: shape(2048, 5120, 64, 32, 24),
  xxl: shape(4096, 10240, 64, 64, 24),
}

const V1_0 = {
  small: shape(512, 2048, 64, 8, 6),
  base: shape(768, 3072, 64, 12, 12),
  large: shape(1024, 4096, 64, 16, 24),
  '3b': shape(1024, 16384, 128, 32, 24),
  '11b': shape(1024, 65536, 128, 128, 24),
}

const BYT5 = {
  small: shape(1472, 3584, 64, 6, 12, 4),
  base: shape(1536, 3968, 64, 12, 18, 6),
  large: shape(1536, 3840, 64, 16, 36, 12),
  xl: shape(2560, 6720, 64, 32, 36, 12),
  xxl: shape(4672, 12352, 64, 64, 36, 12),
}

const MADLAD = { '3b': shape(1024, 8192, 128, 16, 32), '7b': shape(2048, 8192, 128, 16, 48), '10b': shape(2048, 8192, 128, 16, 64) }

const { large: _noUmt5, ...UMT5 } = V1_1

/** Families in the order of the table. */
const FAMILIES = [
  { name: 'T5 (v1.0)', sizes: V1_0, vocab_size: 32128, feed_forward_proj: 'relu', tie_word_embeddings: true },
  { name: 'T5 v1.1, LM-adapted, Flan, Pile', sizes: V1_1, vocab_size: 32128 },
  { name: 'UL2, Flan-UL2', sizes: { '20b': shape(4096, 16384, 256, 16, 32) }, vocab_size: 32128 },
  { name: 'mT5', sizes: V1_1, vocab_size: 250112, model_type: 'mt5' },
  { name: 'umT5', sizes: UMT5, vocab_size: 256384, model_type: 'umt5' },
  { name: 'ByT5', sizes: BYT5, vocab_size: 384 },
  { name: 'MADLAD-400', sizes: MADLAD, vocab_size: 256000 },
]

/** Every model of the table with its config.json. */
export function publishedModels() {
  return FAMILIES.flatMap(({ name: family, sizes, ...fields }) =>
    Object.entries(sizes).map(([size, shapes]) => {
      const config = { model_type: 't5', feed_forward_proj: 'gated-gelu', tie_word_embeddings: false, ...fields, ...shapes }
      return { family, size, config }
    }),
  )
}
