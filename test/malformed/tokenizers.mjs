/** spiece.model beside a sound model. */
export function tokenizerCases(spiece) {
  const BAD = ['TOKENIZER_INVALID', 'TOKENIZER_UNSUPPORTED']
  const cases = {
    good: [spiece, ['ok']],
    empty: [Buffer.alloc(0), BAD],
    text: [Buffer.from('hello'), BAD],
    zeros: [Buffer.alloc(1000), BAD],
  }
  for (const part of [0.01, 0.2, 0.5, 0.9]) cases[`cut to ${part}`] = [spiece.subarray(0, Math.floor(spiece.length * part)), [...BAD, 'ok']]
  // Fields of lengths that lie: tag 1 (pieces), wire type 2.
  cases['a piece of 4 GB'] = [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]), BAD]
  cases['a length without end'] = [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), BAD]
  cases['an unknown wire type'] = [Buffer.from([0x0f, 1]), BAD]
  const all = Object.entries(cases).map(([name, [bytes, codes]]) => ({
    name: `spiece.model: ${name}`,
    as: 'model',
    sound: true,
    files: { 'spiece.model': bytes },
    codes,
  }))
  const json = { 'no JSON': '{', 'a list': '[]', empty: '', 'no model': '{}', 'a model that is a number': '{"model": 1}' }
  for (const [name, text] of Object.entries(json))
    all.push({ name: `tokenizer.json: ${name}`, as: 'model', sound: true, files: { 'tokenizer.json': Buffer.from(text) }, codes: BAD })
  return all
}
