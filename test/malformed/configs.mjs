/** config.json beside sound weights. */
export function configCases(config) {
  const base = JSON.parse(config)
  const INVALID = ['CONFIG_INVALID']
  const cases = {
    good: [config, ['ok']],
    'good with more fields': [{ ...base, anything: { deep: [1, 2, { x: null }] } }, ['ok']],
    'good with a null': [{ ...base, eos_token_id: null }, ['ok']],
    'no JSON object': ['[]', INVALID],
    empty: ['', INVALID],
    'a missing brace': [config.trimEnd().slice(0, -1), INVALID],
    'nothing but fields': ['{}', INVALID],
    'another model': [{ ...base, model_type: 'bert' }, ['CONFIG_UNSUPPORTED']],
    'an unknown feed-forward': [{ ...base, feed_forward_proj: 'gated-tanh' }, ['CONFIG_UNSUPPORTED']],
    'of 5 MB': [`{"x":"${'x'.repeat(5 << 20)}"}`, ['FILE_READ']],
    'an odd number of buckets': [{ ...base, relative_attention_num_buckets: 31 }, INVALID],
    'a distance below the buckets': [{ ...base, relative_attention_max_distance: 10 }, INVALID],
    'an epsilon of zero': [{ ...base, layer_norm_epsilon: 0 }, INVALID],
    'a dropout of one': [{ ...base, dropout_rate: 1 }, INVALID],
    'a padding id outside': [{ ...base, pad_token_id: base.vocab_size }, INVALID],
    'an end id below zero': [{ ...base, eos_token_id: -1 }, INVALID],
  }
  for (const field of ['d_model', 'd_kv', 'd_ff', 'num_layers', 'num_heads', 'vocab_size']) {
    for (const value of [undefined, 0, -1, 1.5, '48', [48], 2 ** 31, true])
      cases[`${field} is ${JSON.stringify(value) ?? 'missing'}`] = [{ ...base, [field]: value }, INVALID]
    cases[`${field} twice`] = [config.replace('{', `{"${field}": 1,`), INVALID]
  }
  const text = (name, value, codes = INVALID) => {
    cases[`JSON: ${name}`] = [value, codes]
  }
  // As in the well-known suite of JSON parsers: what must be refused, and what may not be.
  const around = (value) => config.replace('{', `{"x": ${value},`)
  const refused = {
    'a trailing comma': '[1,]',
    'two commas': '[1,,2]',
    'a leading comma': '[,1]',
    'a comma alone': '[,]',
    'no comma': '[1 2]',
    'an unclosed list': '[1',
    'an unclosed text': '"abc',
    'single quotes': "'abc'",
    'a bare word': 'abc',
    True: 'True',
    NaN: 'NaN',
    Infinity: 'Infinity',
    '-Infinity': '-Infinity',
    'a plus sign': '+1',
    'a leading zero': '01',
    'minus zero zero': '-00',
    'a lone minus': '-',
    'a point first': '.5',
    'a point last': '5.',
    'an exponent without digits': '1e',
    'an exponent with a sign alone': '1e+',
    hexadecimal: '0x1F',
    'a comment': '1 /* x */',
    'a line comment': '1 // x\n',
    'a tab in a text': '"\t"',
    'a newline in a text': '"\n"',
    'a zero in a text': '"\u0000"',
    'a bad escape': '"\\x41"',
    'half an escape': '"\\u12"',
    'a lone high surrogate': '"\\ud800"',
    'a lone low surrogate': '"\\udc00"',
    'two high surrogates': '"\\ud800\\ud800"',
    'a key that is no text': '{1: 2}',
    'a key without a value': '{"a"}',
    'a key without a colon': '{"a" 1}',
    'two colons': '{"a":: 1}',
    'a number too large': '1e999',
    'deep lists': '['.repeat(100_000) + ']'.repeat(100_000),
    'deep objects': `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
    'a form feed': '\f1',
    'a no-break space': '\u00a01',
  }
  for (const [name, value] of Object.entries(refused)) text(name, around(value))
  const accepted = {
    'an empty list': '[]',
    'an empty object': '{}',
    'a number too small': '1e-999',
    'a large integer': '123456789012345678901234567890',
    'minus zero': '-0',
    escapes: '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    'a surrogate pair': '"\\ud834\\udd1e"',
    'UTF-8': '"é中🙂"',
    'white space': ' \r\n\t1 ',
    'fifty lists': '['.repeat(50) + ']'.repeat(50),
    'an exponent': '1E+2',
    delete: '"\u007f"',
  }
  for (const [name, value] of Object.entries(accepted))
    text(name, around(value), name === 'a number too small' ? ['ok', 'CONFIG_INVALID'] : ['ok'])
  text('a byte order mark', `\ufeff${config}`)
  text('something after it', `${config} x`)
  text('a zero after it', `${config}\0`)
  const bytes = {
    'an overlong slash': [0xc0, 0xaf],
    'a surrogate in UTF-8': [0xed, 0xa0, 0x80],
    'a tail alone': [0x80],
    'a head alone': [0xc3],
    'beyond Unicode': [0xf4, 0x90, 0x80, 0x80],
    'five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
    'the byte FF': [0xff],
  }
  for (const [name, list] of Object.entries(bytes))
    text(name, Buffer.concat([Buffer.from('{"x": "'), Buffer.from(list), Buffer.from('",'), Buffer.from(config.trimStart().slice(1))]))
  return Object.entries(cases).map(([name, [value, codes]]) => ({
    name: `config.json: ${name}`,
    as: 'model',
    config: typeof value === 'string' || Buffer.isBuffer(value) ? Buffer.from(value) : Buffer.from(JSON.stringify(value)),
    sound: true,
    codes,
  }))
}
