import { join, npy, safetensors, u64, zip } from './formats.mjs'

const BAD = ['PROMPT_FILE_INVALID']
const eight = Buffer.alloc(8, 1)
const prompt = (name, bytes, codes, size) => ({ name, as: 'prompt', bytes, codes, ...(size && { size }) })

export function npyCases() {
  const header = (fields = {}) => {
    const { descr = "'<f4'", fortran = 'False', shape = '(1, 2)', more = '' } = fields
    return `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, ${more}}\n`
  }
  const one = (fields, data = eight, options) => npy(header(fields), data, options)
  const cases = {
    good: [one(), ['ok']],
    'good, version 2': [one({}, eight, { version: 2 }), ['ok']],
    'good, float64': [one({ descr: "'<f8'" }, Buffer.alloc(16)), ['ok']],
    'good, a comma more': [one({ shape: '(1, 2,)' }), ['ok']],
    'version 0': [one({}, eight, { version: 0 })],
    'version 4': [one({}, eight, { version: 4 })],
    'another mark': [one({}, eight, { magic: '\x93NUMPX' })],
    'the header longer than the file': [one({}, eight, { length: 60_000 })],
    'the header of 4 GB': [one({}, eight, { version: 2, length: 0xffffffff })],
    'the header of nothing': [one({}, eight, { length: 0 })],
    'the header one shorter': [one({}, eight, { length: 20 })],
    'big-endian': [one({ descr: "'>f4'" })],
    'native order': [one({ descr: "'=f4'" })],
    float16: [one({ descr: "'<f2'" })],
    integers: [one({ descr: "'<i4'" })],
    'Python objects': [one({ descr: "'|O'" })],
    'a structure': [one({ descr: "[('a', '<f4')]" })],
    'an endless text': [npy("{'descr': '<f4", eight)],
    'no UTF-8': [npy(Buffer.from("{'descr': '\xff'}", 'latin1'), eight)],
    'column-major': [one({ fortran: 'True' })],
    'a truth that is none': [one({ fortran: '1' })],
    'no shape': [npy("{'descr': '<f4', 'fortran_order': False, }\n", eight)],
    'the shape twice': [one({ more: "'shape': (1, 2), " })],
    'an unknown field': [one({ more: "'extra': 'x', " })],
    'no dimension': [one({ shape: '()' })],
    'one dimension': [one({ shape: '(2,)' })],
    'three dimensions': [one({ shape: '(1, 2, 1)' })],
    'a dimension below zero': [one({ shape: '(-1, -2)' })],
    'a dimension with a point': [one({ shape: '(1.0, 2)' })],
    'a dimension beyond int64': [one({ shape: '(9223372036854775808, 2)' })],
    'a shape that wraps': [one({ shape: '(4611686018427387904, 4)' }, Buffer.alloc(0))],
    'a shape that wraps to its length': [one({ shape: '(4611686018427387905, 2)' })],
    'no rows': [one({ shape: '(0, 2)' }, Buffer.alloc(0))],
    'no columns': [one({ shape: '(1, 0)' }, Buffer.alloc(0))],
    'a terabyte promised': [one({ shape: '(274877906944, 1)' })],
    'a byte less': [one({}, eight.subarray(1))],
    'a byte more': [one({}, Buffer.alloc(9))],
    'no data': [one({}, Buffer.alloc(0))],
    'a second value': [npy(`${header()}{}`, eight)],
    'a call': [npy("__import__('os').system('true')\n", eight)],
    NaN: [one({}, Buffer.from([0, 0, 0xc0, 0x7f, 0, 0, 0, 0])), ['PROMPT_NOT_FINITE']],
    'infinity as float64': [one({ descr: "'<f8'", shape: '(1, 1)' }, Buffer.from([0, 0, 0, 0, 0, 0, 0xf0, 0x7f])), ['PROMPT_NOT_FINITE']],
  }
  const whole = one()
  for (const length of [1, 6, 7, 8, 9, 10, 11, 12, 40, whole.length - 9]) cases[`cut to ${length} bytes`] = [whole.subarray(0, length)]
  return Object.entries(cases).map(([name, [bytes, codes = BAD]]) => prompt(`.npy: ${name}`, bytes, codes))
}

export function promptCases() {
  const tensor = (fields = {}, data = eight, name = 'prompt') =>
    safetensors({ [name]: { dtype: 'F32', shape: [1, 2], data_offsets: [0, data.length], ...fields } }, data)
  const cases = {
    good: [tensor(), ['ok']],
    'good, bfloat16': [tensor({ dtype: 'BF16', data_offsets: [0, 4] }, eight.subarray(4)), ['ok']],
    'good, float16': [tensor({ dtype: 'F16', data_offsets: [0, 4] }, eight.subarray(4)), ['ok']],
    empty: [Buffer.alloc(0)],
    text: [Buffer.from('hello, this is no prompt at all')],
    'another name': [tensor({}, eight, 'weights')],
    'no tensor': [safetensors('{}')],
    'one dimension': [tensor({ shape: [2] })],
    'three dimensions': [tensor({ shape: [1, 1, 2] })],
    'no rows': [tensor({ shape: [0, 2] }, Buffer.alloc(0))],
    'no columns': [tensor({ shape: [1, 0] }, Buffer.alloc(0))],
    integers: [tensor({ dtype: 'I32' })],
    'unsigned integers': [tensor({ dtype: 'U32' })],
    'eight bits': [tensor({ dtype: 'F8_E4M3', shape: [1, 8] })],
    NaN: [tensor({}, Buffer.from([0, 0, 0xc0, 0x7f, 0, 0, 0, 0])), ['PROMPT_NOT_FINITE']],
    'infinity as float16': [tensor({ dtype: 'F16', data_offsets: [0, 4] }, Buffer.from([0, 0x7c, 0, 0])), ['PROMPT_NOT_FINITE']],
    'a shape that wraps': [tensor({ shape: [2 ** 31, 2 ** 33] })],
    'a zip': [zip([{ name: 'prompt.npy', data: eight }])],
    'a header of 2 GB': [u64(2 ** 31 - 8), BAD, 2 ** 31],
    'a prompt of 2 GB of which nothing is there': [
      safetensors({ prompt: { dtype: 'F32', shape: [2 ** 14, 2 ** 15], data_offsets: [0, 2 ** 31] } }),
    ],
    'a .npy behind safetensors': [join(tensor(), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", eight))],
  }
  const whole = tensor()
  for (const length of [1, 4, 7, 8, 9, 30, whole.length - 8, whole.length - 1])
    cases[`cut to ${length} bytes`] = [whole.subarray(0, length)]
  return Object.entries(cases).map(([name, [bytes, codes = BAD, size]]) => prompt(`prompt: ${name}`, bytes, codes, size))
}
