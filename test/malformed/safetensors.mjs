import { join, safetensors, safetensorsOf, tensorsOf, u64 } from './formats.mjs'

const INVALID = ['SAFETENSORS_INVALID']
const CUT = ['SAFETENSORS_TRUNCATED']
const four = Buffer.alloc(4, 1)
const entry = (fields) => ({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...fields } })
const raw = (text) => `{"a":${text}}`

/** Each field of a small file wrong in turn: opened by `inspect`, which reads the header alone. */
function headers() {
  const cases = {
    good: [safetensors(entry({}), four), ['ok']],
    'good without tensors': [safetensors('{}'), ['ok']],
    'good padded header': [safetensors(`${JSON.stringify(entry({}))}   `, four), ['ok']],
    'good empty tensor': [safetensors(entry({ shape: [0, 5], data_offsets: [0, 0] })), ['ok']],
    'good scalar': [safetensors(entry({ shape: [] }), four), ['ok']],
    'good metadata': [safetensors({ __metadata__: { k: 'v' }, ...entry({}) }, four), ['ok']],
    'empty file': [Buffer.alloc(0), CUT],
    'seven bytes': [Buffer.alloc(7), CUT],
    'length alone': [u64(2), CUT],
    'length zero': [u64(0), INVALID],
    'length one more': [safetensors('{}', Buffer.alloc(0), { length: 3 }), CUT],
    'length one less': [safetensors('{}', Buffer.alloc(0), { length: 1 }), INVALID],
    'length 2 GB': [safetensors('{}', Buffer.alloc(0), { length: 2 ** 31 }), INVALID],
    'length 2^63': [safetensors('{}', Buffer.alloc(0), { length: 2n ** 63n }), INVALID],
    'length 2^64 - 1': [safetensors('{}', Buffer.alloc(0), { length: 2n ** 64n - 1n }), INVALID],
    'length 2^64 - 8': [safetensors('{}', Buffer.alloc(0), { length: 2n ** 64n - 8n }), INVALID],
    'header is a list': [safetensors('[]'), INVALID],
    'header is null': [safetensors('null'), INVALID],
    'header is text': [safetensors('"{}"'), INVALID],
    'header is blank': [safetensors('    '), INVALID],
    'header begins with a space': [safetensors(' {}'), INVALID],
    'header has a byte order mark': [safetensors('\ufeff{}'), INVALID],
    'header is not UTF-8': [safetensors(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), INVALID],
    'header is UTF-16': [safetensors(Buffer.from(JSON.stringify(entry({})), 'utf16le'), four), INVALID],
    'header has two values': [safetensors('{}{}'), INVALID],
    'header ends in zeros': [safetensors('{}\0\0'), INVALID],
    'header is cut': [safetensors('{"a":{"dtype":"F32"'), INVALID],
    'a byte after the end': [safetensors(entry({}), Buffer.alloc(5)), INVALID],
    'a byte missing': [safetensors(entry({}), Buffer.alloc(3)), CUT],
    'no data': [safetensors(entry({})), CUT],
    'a hole at the start': [safetensors(entry({ data_offsets: [4, 8] }), Buffer.alloc(8)), INVALID],
    'a hole between': [safetensors({ ...entry({}), b: entry({ data_offsets: [8, 12] }).a }, Buffer.alloc(12)), INVALID],
    'an overlap': [safetensors({ ...entry({}), b: entry({ data_offsets: [2, 6] }).a }, Buffer.alloc(6)), INVALID],
    'the same bytes twice': [safetensors({ ...entry({}), b: entry({}).a }, four), INVALID],
    'one in another': [
      safetensors({ ...entry({ shape: [3], data_offsets: [0, 12] }), b: entry({ data_offsets: [4, 8] }).a }, Buffer.alloc(12)),
      INVALID,
    ],
    'a zero-size tensor off the seam': [safetensors({ ...entry({}), b: entry({ shape: [0], data_offsets: [2, 2] }).a }, four), INVALID],
    'a zero-size tensor beyond the end': [safetensors({ ...entry({}), b: entry({ shape: [0], data_offsets: [99, 99] }).a }, four), INVALID],
    'a zero-size tensor on the seam': [safetensors({ ...entry({}), b: entry({ shape: [0], data_offsets: [4, 4] }).a }, four), ['ok']],
    'two tensors of one name': [safetensors(`{"a":${JSON.stringify(entry({}).a)},"a":${JSON.stringify(entry({}).a)}}`, four), INVALID],
    'one name in two spellings': [
      safetensors(`{"a":${JSON.stringify(entry({}).a)},"\\u0061":${JSON.stringify(entry({}).a)}}`, four),
      INVALID,
    ],
    'dtype twice': [safetensors(raw('{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}'), four), INVALID],
    'two metadata': [safetensors(`{"__metadata__":{},"__metadata__":{},"a":${JSON.stringify(entry({}).a)}}`, four), INVALID],
    'metadata is a list': [safetensors({ __metadata__: [], ...entry({}) }, four), INVALID],
    'metadata holds a number': [safetensors({ __metadata__: { k: 1 }, ...entry({}) }, four), INVALID],
    'a tensor is null': [safetensors({ a: null }), INVALID],
    'a tensor is a list': [safetensors({ a: [] }), INVALID],
    'a tensor is text': [safetensors({ a: 'F32' }), INVALID],
    'another field': [safetensors(entry({ strides: [1] }), four), INVALID],
    'nested too deeply': [safetensors(raw('['.repeat(5000) + ']'.repeat(5000))), INVALID],
    'half a million values': [safetensors(raw(`[${'1,'.repeat(500_000)}1]`)), INVALID],
    'a hundred thousand tensors of nothing': [
      safetensors(`{${Array.from({ length: 100_000 }, (_, i) => `"${i}":{}`).join(',')}}`),
      INVALID,
    ],
    'a name of a megabyte': [safetensors({ ['x'.repeat(1 << 20)]: entry({}).a }, four), ['ok']],
  }
  const field = (what, values, codes = INVALID) =>
    values.forEach((value, i) => {
      cases[`${what} ${i}: ${JSON.stringify(value) ?? 'missing'}`.slice(0, 80)] = [safetensors(entry({ [what]: value }), four), codes]
    })
  field('dtype', [undefined, null, 4, '', 'f32', 'F33', 'float32', 'F32 ', 'F64', 'BF16', ['F32']])
  field('shape', [undefined, null, 1, '1', {}, [-1], [1.5], ['1'], [[1]], [2], [0], [1, 2], [2 ** 53], [true]])
  field('data_offsets', [undefined, null, 0, [], [0], [0, 4, 8], [4, 0], [-4, 0], [0, 3], [0, 5], ['0', '4'], [0.5, 4.5], [0, 2 ** 53], {}])
  const wrapping = [
    '[4294967296,4294967296]', // 2^64 wraps to 0
    '[2147483648,2147483648,4]', // to 0 after the first products fit
    '[4611686018427387905,4]', // times 4: wraps to 4
    '[9223372036854775807,9223372036854775807]',
    '[9223372036854775808]', // beyond int64
    '[18446744073709551617]', // 2^64 + 1
    '[1e2]',
    '[1e400]',
    '[0,4611686018427387904,8]', // empty, with sizes that cannot be multiplied
    '[4611686018427387904,8,0]',
  ]
  for (const shape of wrapping)
    cases[`shape wraps ${shape}`] = [safetensors(raw(`{"dtype":"F32","shape":${shape},"data_offsets":[0,4]}`), four), INVALID]
  for (const offsets of ['[0,18446744073709551620]', '[18446744073709551612,0]', '[9223372036854775804,9223372036854775808]', '[1e0,5]'])
    cases[`offsets wrap ${offsets}`] = [safetensors(raw(`{"dtype":"F32","shape":[1],"data_offsets":${offsets}}`), four), INVALID]
  const dimensions = Array.from({ length: 100_000 }, () => 1)
  cases['a hundred thousand dimensions'] = [safetensors(entry({ shape: dimensions }), four), INVALID]
  return Object.entries(cases).map(([name, [bytes, codes]]) => ({ name: `safetensors: ${name}`, as: 'inspect', bytes, codes }))
}

/** The tiny model's weights, changed: opened by T5.load. */
function models(weights) {
  const tensors = tensorsOf(weights)
  const changed = (change) => safetensorsOf(change(structuredClone(tensors)))
  const norm = 'encoder.final_layer_norm.weight'
  const headerEnd = 8 + Number(weights.readBigUInt64LE(0))
  const cases = {
    good: [weights, ['ok']],
    'good in another order': [changed((all) => Object.fromEntries(Object.entries(all).reverse())), ['ok']],
    'a tensor missing': [changed(({ [norm]: _, ...rest }) => rest), ['MODEL_TENSOR_MISSING']],
    'a tensor more': [changed((all) => ({ ...all, 'encoder.extra.weight': all[norm] })), ['MODEL_TENSOR_UNKNOWN']],
    'a tensor of another shape': [changed((all) => ({ ...all, [norm]: { ...all[norm], shape: [1, 48] } })), ['MODEL_TENSOR_SHAPE']],
    'a tensor of integers': [changed((all) => ({ ...all, [norm]: { ...all[norm], dtype: 'I32' } })), ['MODEL_TENSOR_DTYPE']],
    'a tensor of unsigned integers': [changed((all) => ({ ...all, [norm]: { ...all[norm], dtype: 'U32' } })), ['MODEL_TENSOR_DTYPE']],
    'all empty': [safetensors('{}'), ['MODEL_TENSOR_MISSING']],
    'a page of HTML': [Buffer.from('<!DOCTYPE html><html>Not found</html>'), INVALID],
    'a Git LFS pointer': [Buffer.from('version https://git-lfs/spec/v1\noid sha256:0\nsize 1\n'), INVALID],
    'a zip': [Buffer.from('PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaa'), INVALID],
    'a zip behind the weights': [join(weights, Buffer.from('PK\x05\x06'), Buffer.alloc(18)), INVALID],
  }
  for (const [name, bits] of Object.entries({
    NaN: 0x7fc00000,
    'a signalling NaN': 0x7f800001,
    infinity: 0x7f800000,
    'minus infinity': 0xff800000,
  })) {
    const bytes = Buffer.from(weights)
    bytes.writeUInt32LE(bits, bytes.length - 4)
    cases[`${name} in a tensor`] = [bytes, ['MODEL_NOT_FINITE']]
  }
  for (const length of [1, 8, 9, headerEnd >> 1, headerEnd - 1, headerEnd, headerEnd + 1, weights.length - 1])
    cases[`cut to ${length} bytes`] = [weights.subarray(0, length), CUT]
  return Object.entries(cases).map(([name, [bytes, codes]]) => ({
    name: `model.safetensors: ${name}`,
    as: 'model',
    files: { 'model.safetensors': bytes },
    codes,
  }))
}

/** Files that are large and almost empty: only `size` is on disk as a hole. */
function sparse() {
  const cases = {
    '2 GB of zeros': [Buffer.alloc(0), 2 ** 31, INVALID],
    'a header of 2 GB': [u64(2 ** 31 - 8), 2 ** 31, INVALID],
    'a header of 99 MB': [u64(99_000_000), 100_000_000, INVALID],
    'a header of 16 MB of zeros': [join(u64(16 << 20), '{'), (16 << 20) + 8, INVALID],
    'a tensor of 4 GB where 2 are': [safetensors(entry({ shape: [2 ** 30], data_offsets: [0, 2 ** 32] })), 2 ** 31, CUT],
  }
  return Object.entries(cases).map(([name, [bytes, size, codes]]) => ({
    name: `safetensors, sparse: ${name}`,
    as: 'inspect',
    bytes,
    size,
    codes,
  }))
}

export const safetensorsCases = (weights) => [...headers(), ...models(weights), ...sparse()]

// ---- shards

const INDEX = 'model.safetensors.index.json'

export function shardCases(weights) {
  const tensors = tensorsOf(weights)
  const names = Object.keys(tensors)
  const half = (which) => safetensorsOf(Object.fromEntries(Object.entries(tensors).filter((_, i) => i % 2 === which)))
  const map = Object.fromEntries(names.map((name, i) => [name, `model-0000${(i % 2) + 1}-of-00002.safetensors`]))
  const shards = { 'model-00001-of-00002.safetensors': half(0), 'model-00002-of-00002.safetensors': half(1) }
  const indexOf = (weightMap, more = {}) => Buffer.from(JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap, ...more }))
  const BAD = ['MODEL_FILE_INVALID']
  const cases = {
    good: [{ ...shards, [INDEX]: indexOf(map) }, ['ok']],
    'one shard is missing': [{ 'model-00001-of-00002.safetensors': half(0), [INDEX]: indexOf(map) }, ['MODEL_FILE_MISSING']],
    'the index is no JSON': [{ ...shards, [INDEX]: Buffer.from('{') }, BAD],
    'the index is a list': [{ ...shards, [INDEX]: Buffer.from('[]') }, BAD],
    'the index is empty': [{ ...shards, [INDEX]: Buffer.alloc(0) }, BAD],
    'there is no weight_map': [{ ...shards, [INDEX]: Buffer.from('{"metadata":{}}') }, BAD],
    'the weight_map is empty': [{ ...shards, [INDEX]: indexOf({}) }, BAD],
    'the weight_map is a list': [{ ...shards, [INDEX]: indexOf([]) }, BAD],
    'a tensor stands twice': [{ ...shards, [INDEX]: Buffer.from('{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}') }, BAD],
    'the index names a tensor more': [{ ...shards, [INDEX]: indexOf({ ...map, extra: 'model-00001-of-00002.safetensors' }) }, BAD],
    'the index names a tensor less': [{ ...shards, [INDEX]: indexOf(Object.fromEntries(Object.entries(map).slice(1))) }, BAD],
    'a tensor is in the other shard': [{ ...shards, [INDEX]: indexOf({ ...map, [names[0]]: map[names[1]] }) }, BAD],
    'a shard is the other twice': [{ ...shards, 'model-00002-of-00002.safetensors': half(0), [INDEX]: indexOf(map) }, BAD],
    'a shard is cut': [{ ...shards, 'model-00002-of-00002.safetensors': half(1).subarray(0, 5000), [INDEX]: indexOf(map) }, CUT],
    'a shard is empty': [{ ...shards, 'model-00002-of-00002.safetensors': Buffer.alloc(0), [INDEX]: indexOf(map) }, CUT],
    'six hundred shards': [
      { [INDEX]: indexOf(Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`t${i}`, `s${i}.safetensors`]))) },
      BAD,
    ],
    'the index is of 17 MB': [{ [INDEX]: Buffer.alloc(17 << 20, 0x20) }, ['FILE_READ']],
  }
  const escaping = [
    '../outside.safetensors',
    '/etc/passwd',
    '/outside.safetensors',
    'sub/model.safetensors',
    './model.safetensors',
    '..',
    '.',
    '',
    '.hidden.safetensors',
    '..\\outside.safetensors',
    'C:\\outside.safetensors',
    'a\u0000.safetensors',
    `${'x'.repeat(300)}.safetensors`,
    'config.json',
    'model.bin',
    5,
    null,
    ['a'],
    {},
  ]
  for (const shard of escaping)
    cases[`a shard is called ${JSON.stringify(shard).slice(0, 40)}`] = [{ ...shards, [INDEX]: indexOf({ ...map, [names[0]]: shard }) }, BAD]
  const all = Object.entries(cases).map(([name, [files, codes]]) => ({ name: `shards: ${name}`, as: 'model', files, codes }))
  const moved = { 'model-00002-of-00002.safetensors': half(1), [INDEX]: indexOf(map) }
  const outside = { 'shard.safetensors': half(0) }
  all.push(
    {
      name: 'shards: a link out of the folder',
      as: 'model',
      files: moved,
      beside: outside,
      links: { 'model-00001-of-00002.safetensors': '../beside/shard.safetensors' },
      codes: BAD,
    },
    {
      name: 'shards: a link to nothing',
      as: 'model',
      files: moved,
      links: { 'model-00001-of-00002.safetensors': 'nothing' },
      codes: ['MODEL_FILE_MISSING'],
    },
    {
      name: 'shards: a link to itself',
      as: 'model',
      files: moved,
      links: { 'model-00001-of-00002.safetensors': 'model-00001-of-00002.safetensors' },
      codes: ['MODEL_FILE_MISSING'],
    },
    {
      name: 'shards: links as in the cache of Hugging Face',
      as: 'model',
      inCache: true,
      files: moved,
      beside: outside,
      links: { 'model-00001-of-00002.safetensors': '../../blobs/shard.safetensors' },
      codes: ['ok'],
    },
  )
  return all
}
