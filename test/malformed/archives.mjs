import {
  archive,
  dictPickle,
  global,
  integer,
  itemBytes,
  join,
  pickle,
  proto,
  safetensorsOf,
  stateDict,
  tensorPickle,
  tensorsOf,
  tuple,
  u16,
  u32,
  u64,
  whole,
  zip,
} from './formats.mjs'

const BAD = ['MODEL_FILE_INVALID']
const bin = (name, bytes, codes, more = {}) => ({ name, as: 'model', files: { 'pytorch_model.bin': bytes, ...more }, codes })
const NORM = 'encoder.final_layer_norm.weight'

/** The container: every field wrong in turn, around a sound pickle. */
export function zipCases(weights) {
  const items = Object.entries(tensorsOf(weights))
  const dataPkl = whole(dictPickle(items.map(([name, t], i) => [name, tensorPickle({ ...t, key: `${i}`, numbers: t.bytes.length / 4 })])))
  const entries = (change = {}) => [
    { name: 'archive/data.pkl', data: dataPkl, ...change },
    ...items.map(([, t], i) => ({ name: `archive/data/${i}`, data: t.bytes })),
  ]
  const good = zip(entries())
  const cases = {
    good: [good, ['ok']],
    'good, sizes after the data': [zip(entries({ flags: 8 })), ['ok']],
    'good, the byte order given': [zip([...entries(), { name: 'archive/byteorder', data: Buffer.from('little') }]), ['ok']],
    'big-endian': [zip([...entries(), { name: 'archive/byteorder', data: Buffer.from('big') }]), BAD],
    empty: [Buffer.alloc(0), BAD],
    'an end record alone': [zip([]), BAD],
    'bytes before it': [join('#!/bin/sh\n', good), BAD],
    'bytes after it': [join(good, 'x'), BAD],
    'a comment': [zip(entries(), { comment: 3, after: Buffer.from('abc') }), BAD],
    'a comment that is not there': [zip(entries(), { comment: 3 }), BAD],
    'a second end record': [join(good, good.subarray(-22)), BAD],
    'two volumes': [zip(entries(), { volume: 1 }), BAD],
    'the directory on another volume': [zip(entries(), { directoryVolume: 1 }), BAD],
    'an entry on another volume': [zip(entries({ volume: 1 })), BAD],
    'fewer entries here': [zip(entries(), { entriesHere: 1 }), BAD],
    'fewer entries than the directory has': [zip(entries(), { entries: 1, entriesHere: 1 }), BAD],
    'more entries than the directory has': [zip(entries(), { entries: 9999, entriesHere: 9999 }), BAD],
    'zip64 promised, entries': [zip(entries(), { entries: 0xffff, entriesHere: 0xffff }), BAD],
    'zip64 promised, bytes': [zip(entries(), { bytes: 0xffffffff }), BAD],
    'zip64 promised, offset': [zip(entries(), { offset: 0xffffffff }), BAD],
    'the directory too short': [zip(entries(), { bytes: 1 }), BAD],
    'the directory of 2 GB': [zip(entries(), { bytes: 2 ** 31 }), BAD],
    'the directory elsewhere': [zip(entries(), { offset: 0 }), BAD],
    'the end record without its mark': [zip(entries(), { signature: 0 }), BAD],
    'bytes between directory and end': [zip(entries(), { before: Buffer.alloc(7) }), BAD],
    'a deflated pickle': [zip(entries({ method: 8 })), BAD],
    'an unknown method': [zip(entries({ method: 12 })), BAD],
    encrypted: [zip(entries({ flags: 1 })), BAD],
    'a wrong checksum': [zip(entries({ crc: 1 })), BAD],
    'a wrong size': [zip(entries({ size: 5 })), BAD],
    'a wrong packed size': [zip(entries({ packed: 5 })), BAD],
    'sizes of 4 GB': [zip(entries({ size: 0xfffffffe, packed: 0xfffffffe })), BAD],
    'sizes in a zip64 field that is missing': [zip(entries({ size: 0xffffffff, packed: 0xffffffff })), BAD],
    'sizes in a zip64 field that is short': [
      zip(entries({ size: 0xffffffff, packed: 0xffffffff, extra: join(u16(1), u16(4), u32(1)) })),
      BAD,
    ],
    'sizes of 2^63 in a zip64 field': [
      zip(entries({ size: 0xffffffff, packed: 0xffffffff, extra: join(u16(1), u16(16), u64(2n ** 63n), u64(2n ** 63n)) })),
      BAD,
    ],
    'sizes of 2^64 - 1 in a zip64 field': [
      zip(entries({ size: 0xffffffff, packed: 0xffffffff, extra: join(u16(1), u16(16), u64(2n ** 64n - 1n), u64(2n ** 64n - 1n)) })),
      BAD,
    ],
    'an extra field longer than its room': [zip(entries({ extra: join(u16(9), u16(500)) })), BAD],
    'an offset beyond the end': [zip(entries({ offset: 0x7fffffff })), BAD],
    'an offset of another entry': [zip([...entries().slice(0, 1), { ...entries()[1], offset: 0 }, ...entries().slice(2)]), BAD],
    'a local name that differs': [zip(entries({ localName: 'archive/data.pk_' })), BAD],
    'a longer local name': [zip(entries({ localName: 'archive/data.pkl.bak' })), BAD],
    'a local method that differs': [zip(entries({ localMethod: 8 })), BAD],
    'no local mark': [zip(entries({ localSignature: 0 })), BAD],
    'no directory mark': [zip(entries({ signature: 0 })), BAD],
    'a name longer than the directory': [zip(entries({ nameLength: 60_000 })), BAD],
    'two entries of one name': [zip([...entries(), { name: 'archive/data.pkl', data: dataPkl }]), BAD],
    'two pickles': [zip([...entries(), { name: 'other/data.pkl', data: dataPkl }]), BAD],
    'no pickle': [zip(entries().slice(1)), BAD],
    'no folder': [zip(entries().map((entry) => ({ ...entry, name: entry.name.replace('archive/', '') }))), BAD],
    'no storages': [zip(entries().slice(0, 1)), BAD],
    'ten thousand entries of nothing': [zip(Array.from({ length: 10_000 }, (_, i) => ({ name: `a/${i}`, data: Buffer.alloc(0) }))), BAD],
    'a TorchScript module': [zip([...entries(), { name: 'archive/constants.pkl', data: whole(join(')')) }]), BAD],
    'overlapping entries (a bomb)': [overlapping(), BAD],
    'a tar archive': [join(Buffer.alloc(257), 'ustar', Buffer.alloc(250)), BAD],
    'a numpy file': [Buffer.from('\x93NUMPY\x01\x00v\x00{}', 'latin1'), BAD],
    safetensors: [weights, BAD],
    'a Git LFS pointer': [Buffer.from('version https://git-lfs/spec/v1\noid sha256:0\nsize 1\n'), BAD],
    'the form before PyTorch 1.6': [join(Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'), Buffer.alloc(40)), ['MODEL_UNSUPPORTED']],
    'a bare pickle': [whole(dictPickle([])), BAD],
    'a page of HTML': [Buffer.from('<!DOCTYPE html><html>Not found</html>'), BAD],
  }
  const directoryAt = good.readUInt32LE(good.length - 6)
  for (const length of [
    1,
    21,
    22,
    100,
    directoryAt >> 1,
    directoryAt - 1,
    directoryAt,
    directoryAt + 10,
    good.length - 23,
    good.length - 22,
    good.length - 1,
  ])
    cases[`cut to ${length} bytes`] = [good.subarray(0, length), BAD]
  return Object.entries(cases).map(([name, [bytes, codes]]) => bin(`zip: ${name}`, bytes, codes))
}

/** Many directory entries that all stand for the same bytes, as in a bomb without nesting. */
function overlapping() {
  const data = Buffer.alloc(100_000)
  const names = Array.from({ length: 500 }, (_, i) => `a/data/${String(i).padStart(3, '0')}`)
  return zip(
    names.map((name, i) => ({
      name,
      data: i === 0 ? data : Buffer.alloc(0),
      ...(i > 0 && { offset: 0, size: data.length, packed: data.length, localName: name }),
    })),
  )
}

/** The pickle and the tensors: wrong in turn, in a sound archive. */
export function stateDictCases(weights) {
  const tensors = tensorsOf(weights)
  const numberOf = (name) => Object.keys(tensors).indexOf(name)
  // The whole model with one tensor described in another way.
  const changed = (change, name = NORM) => {
    const tensor = tensors[name]
    const spec = { ...tensor, key: `${numberOf(name)}`, numbers: tensor.bytes.length / itemBytes[tensor.dtype] }
    return stateDict(tensors, {
      change: (items) => items.map((item) => (item[0] === name ? [name, tensorPickle({ ...spec, ...change })] : item)),
    })
  }
  const withValue = (value) => stateDict(tensors, { change: (items) => items.map((item) => (item[0] === NORM ? [NORM, value] : item)) })
  const body = (bytes, storages = {}) => archive(bytes, storages)
  const call = (module, name, args = tuple(pickle.text('true'))) => whole(join(global(module, name), args, 'R'))
  const half = Object.fromEntries(
    Object.entries(tensors).map(([name, t]) => {
      const bytes = Buffer.alloc(t.bytes.length / 2)
      for (let i = 0; i < bytes.length; i += 2) t.bytes.copy(bytes, i, 2 * i + 2, 2 * i + 4)
      return [name, { dtype: 'BF16', shape: t.shape, bytes }]
    }),
  )
  const query = 'encoder.block.0.layer.0.SelfAttention.q.weight'
  const [rows, columns] = tensors[query].shape
  const good = stateDict(tensors)
  const cases = {
    good: [good, ['ok']],
    'good, bfloat16': [stateDict(half), ['ok']],
    'good, protocol 4': [stateDict(tensors, { version: 4 }), ['ok']],
    'good, a parameter': [
      withValue(
        join(
          global('torch._utils', '_rebuild_parameter'),
          tuple(
            tensorPickle({ ...tensors[NORM], key: `${numberOf(NORM)}`, numbers: tensors[NORM].bytes.length / 4 }),
            Buffer.from([0x88]),
            join(global('collections', 'OrderedDict'), ')R'),
          ),
          'R',
        ),
      ),
      ['ok'],
    ],
    'good, column-major': [changed({ strides: [1, rows] }, query), ['ok']],
    'a shape transposed': [changed({ shape: [columns, rows] }, query), rows === columns ? ['ok'] : ['MODEL_TENSOR_SHAPE']],
    'an offset beyond the storage': [changed({ offset: 1 }), BAD],
    'an offset of 2^62': [changed({ offset: 2n ** 62n }), BAD],
    'an offset below zero': [changed({ offset: -1n }), BAD],
    'a shape below zero': [changed({ shape: [-1] }), BAD],
    'a shape too large': [changed({ shape: [49] }), BAD],
    'a shape that wraps': [changed({ shape: [2 ** 32, 2 ** 32], strides: [0, 0] }), BAD],
    'a shape that wraps with strides': [changed({ shape: [2n ** 62n, 4], strides: [4, 1] }), BAD],
    'an expanded view': [changed({ shape: [48], strides: [0] }), BAD],
    'an expanded view of 2^40': [changed({ shape: [2 ** 40], strides: [0] }), BAD],
    'strides too large': [changed({ strides: [2] }), BAD],
    'strides of 2^62': [changed({ strides: [2n ** 62n] }), BAD],
    'strides below zero': [changed({ strides: [-1n] }), BAD],
    'more strides than sizes': [changed({ strides: [1, 1] }), BAD],
    'nine dimensions': [changed({ shape: [1, 1, 1, 1, 1, 1, 1, 1, 48] }), BAD],
    'a storage of another size': [changed({ numbers: 47 }), BAD],
    'a storage of 2^62 numbers': [changed({ numbers: 2n ** 62n }), BAD],
    'a storage of less than nothing': [changed({ numbers: -1n }), BAD],
    'a storage that is not there': [changed({ key: '9999' }), BAD],
    'a storage outside of the folder': [changed({ key: '../../etc/passwd' }), BAD],
    'a storage with a long key': [changed({ key: 'x'.repeat(100_000) }), BAD],
    'a quantised storage': [changed({ storageClass: 'QInt8Storage' }), BAD],
    'a storage class that is none': [changed({ storageClass: 'nn.Linear' }), BAD],
    'a tensor of integers': [changed({ dtype: 'I64', numbers: 24, shape: [24] }), ['MODEL_TENSOR_SHAPE']],
    'a number for a tensor': [withValue(integer(5)), BAD],
    'a text for a tensor': [withValue(pickle.text('weights')), BAD],
    'a dict for a tensor': [withValue(pickle.emptyDict), BAD],
    'a tensor twice': [stateDict(tensors, { change: (items) => [...items, items[0]] }), BAD],
    'a tensor less': [stateDict(tensors, { change: (items) => items.slice(1) }), ['MODEL_TENSOR_MISSING']],
    'a training checkpoint': [
      body(
        whole(
          dictPickle([
            ['model', pickle.emptyDict],
            ['step', integer(5)],
          ]),
        ),
      ),
      BAD,
    ],
    'an empty dict': [body(whole('}')), ['MODEL_TENSOR_MISSING']],
    'a list': [body(whole(']')), BAD],
    nothing: [body(whole('N')), BAD],
    'a name that is a number': [body(whole(join('}', '(', integer(1), integer(2), 'u'))), BAD],
    'a name of 2 KB': [body(whole(dictPickle([['x'.repeat(2048), 'N']]))), BAD],
    'a name that is no UTF-8': [body(whole(join('}', '(', 'X', u32(1), Buffer.from([0xff]), 'N', 'u'))), BAD],
    'os.system': [body(call('os', 'system')), BAD],
    'posix.system': [body(call('posix', 'system')), BAD],
    'builtins.eval': [body(call('builtins', 'eval')), BAD],
    'builtins.exec by protocol 4': [
      body(
        join(proto(4), '\x8c'.slice(0, 0), Buffer.from([0x8c, 8]), 'builtins', Buffer.from([0x8c, 4]), 'exec', Buffer.from([0x93]), '.'),
      ),
      BAD,
    ],
    'subprocess.Popen': [body(call('subprocess', 'Popen')), BAD],
    'torch.load': [body(call('torch', 'load')), BAD],
    'torch.hub.load': [body(call('torch.hub', 'load')), BAD],
    'runpy._run_code': [body(call('runpy', '_run_code')), BAD],
    'operator.attrgetter': [body(call('operator', 'attrgetter')), BAD],
    'numpy.load': [body(call('numpy', 'load')), BAD],
    'an old instance (INST)': [body(whole(join('(', 'ios\nsystem\n'))), BAD],
    'an old object (OBJ)': [body(whole(join('(', global('os', 'system'), 'o'))), BAD],
    'an extension code': [body(whole(Buffer.from([0x82, 1]))), BAD],
    'a text persistent id': [body(whole('Pabc\n')), BAD],
    'a persistent id that is none': [body(whole(join(pickle.text('storage'), 'Q'))), BAD],
    'a class made anew': [body(whole(join(global('__torch__', 'M'), ')', Buffer.from([0x81])))), BAD],
    'a tensor class made anew': [body(whole(join(global('torch._utils', '_rebuild_tensor_v2'), ')', Buffer.from([0x81])))), BAD],
    'no end': [body(join(proto(), '}')), BAD],
    'bytes after the end': [body(join(whole('}'), '}')), BAD],
    'protocol 1': [body(whole('}', 1)), BAD],
    'protocol 9': [body(whole('}', 9)), BAD],
    'an empty stack': [body(whole('')), BAD],
    'two values': [body(whole('}}')), BAD],
    'a mark left over': [body(whole('(}')), BAD],
    'a tuple without a mark': [body(whole('t')), BAD],
    'an unknown reference': [body(whole(Buffer.from('h\x07', 'latin1'))), BAD],
    'a text of 4 GB': [body(whole(join('X', u32(0xffffffff), 'a'))), BAD],
    'an integer of 255 bytes': [body(whole(join(Buffer.from([0x8a, 255]), Buffer.alloc(255)))), BAD],
    'a memo of four billion': [body(whole(join('}', 'r', u32(0xffffffff)))), ['MODEL_TENSOR_MISSING']],
    'a million marks': [body(whole('('.repeat(1_000_000))), BAD],
    'a million values': [body(whole('N'.repeat(1_000_000))), BAD],
    'a million references': [body(whole(join('}', 'q', Buffer.from([0]), Buffer.alloc(2_000_000, Buffer.from('h\0'))))), BAD],
    'a million memos': [
      body(whole(Buffer.concat([Buffer.from('}'), ...Array.from({ length: 400_000 }, (_, i) => join('r', u32(i)))]))),
      BAD,
    ],
    'tuples a hundred thousand deep': [body(whole(join(')', Buffer.alloc(100_000, 0x85)))), BAD],
    'a dict inside itself': [body(whole(join('}', 'q\0', '(', pickle.text('a'), 'h\0', 'u'))), BAD],
    'arguments that multiply': [body(whole(multiplying())), BAD],
    'a pickle of 5 MB': [body(whole(join('X', u32(5 << 20), Buffer.alloc(5 << 20, 97)))), BAD],
    'ten thousand views of one storage': [manyViews(10_000), BAD],
    'a file named safetensors beside it': [good, ['SAFETENSORS_TRUNCATED'], { 'model.safetensors': Buffer.alloc(3) }],
    'a sound safetensors beside a bad one': [Buffer.from('x'), ['ok'], { 'model.safetensors': safetensorsOf(tensors) }],
  }
  const out = Object.entries(cases).map(([name, [bytes, codes, more]]) => bin(`state dict: ${name}`, bytes, codes, more))
  const pkl = whole(dictPickle([[NORM, tensorPickle({ ...tensors[NORM] })]]))
  for (let i = 0; i < pkl.length - 1; i += 5)
    out.push(bin(`state dict: pickle cut to ${i} bytes`, body(pkl.subarray(0, i), { 0: tensors[NORM].bytes }), BAD))
  const index = { weight_map: Object.fromEntries(Object.keys(tensors).map((name) => [name, 'pytorch_model-00001-of-00001.bin'])) }
  const shard = 'pytorch_model-00001-of-00001.bin'
  const indexName = 'pytorch_model.bin.index.json'
  const sharded = (name, files, codes) => out.push({ name: `state dict, sharded: ${name}`, as: 'model', files, codes })
  sharded('good', { [shard]: good, [indexName]: Buffer.from(JSON.stringify(index)) }, ['ok'])
  sharded('a shard is missing', { [indexName]: Buffer.from(JSON.stringify(index)) }, ['MODEL_FILE_MISSING'])
  sharded('a shard is cut', { [shard]: good.subarray(0, 9000), [indexName]: Buffer.from(JSON.stringify(index)) }, BAD)
  sharded('a shard is safetensors', { [shard]: weights, [indexName]: Buffer.from(JSON.stringify(index)) }, BAD)
  sharded('the index leads outside', { [shard]: good, [indexName]: Buffer.from('{"weight_map":{"a":"../x.bin"}}') }, BAD)
  return out
}

/** One tuple of many items, called again and again: each call would copy it. */
function multiplying() {
  const items = Buffer.alloc(200_000, 'N')
  const build = join(global('torch._utils', '_rebuild_tensor_v2'), 'q\0', '(', items, 't', Buffer.from('q\x01', 'latin1'), '0')
  return join(build, Buffer.alloc(500_000, Buffer.from('h\0h\x01R', 'latin1')))
}

/** A small file whose tensors, all on one storage, would fill the memory. */
function manyViews(count) {
  const bytes = Buffer.alloc(400_000)
  return archive(whole(dictPickle(Array.from({ length: count }, (_, i) => [`t${i}`, tensorPickle({ shape: [100_000], key: '0' })]))), {
    0: bytes,
  })
}

// ---- TorchScript

const TS = ['TORCHSCRIPT_INVALID']

/** Entries of an archive of ours, to be written again with changes. */
export function entriesOf(file) {
  const out = []
  const end = file.length - 22
  const zip64 = file.readUInt32LE(end + 16) === 0xffffffff || file.readUInt32LE(end - 20) === 0x07064b50
  let at = zip64 ? Number(file.readBigUInt64LE(end - 20 - 56 + 48)) : file.readUInt32LE(end + 16)
  while (file.readUInt32LE(at) === 0x02014b50) {
    const [method, nameLength, extraLength, commentLength] = [10, 28, 30, 32].map((offset) => file.readUInt16LE(at + offset))
    const [crc, packed, size] = [16, 20, 24].map((offset) => file.readUInt32LE(at + offset))
    const local = file.readUInt32LE(at + 42)
    const name = file.subarray(at + 46, at + 46 + nameLength).toString()
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28)
    out.push({ name, method, crc, packed, size, data: file.subarray(start, start + packed) })
    at += 46 + nameLength + extraLength + commentLength
  }
  return out
}

export function torchscriptCases(pt) {
  const entries = entriesOf(pt)
  const stored = (data) => ({ data, method: 0, crc: undefined, packed: undefined, size: undefined })
  const named = (suffix) => entries.find(({ name }) => name.endsWith(suffix))
  const change = (suffix, data) => zip(entries.map((entry) => (entry.name.endsWith(suffix) ? { ...entry, ...stored(data) } : entry)))
  const without = (suffix) => zip(entries.filter(({ name }) => !name.endsWith(suffix)))
  const folder = named('/data.pkl').name.replace('data.pkl', '')
  const moduleCode = entries.find(({ name }) => name.includes('/code/') && name.endsWith('.py'))
  const evil = Buffer.from(
    'class M(Module):\n  def __setstate__(self, state: int) -> None:\n    torch.save(state, "/tmp/softprompt-was-here")\n',
  )
  const module = (state) => whole(join(global('__torch__', 'M'), ')', Buffer.from([0x81]), state, 'b'))
  const storage = entries.find(({ name }) => name.includes('/data/') && name.endsWith('/0'))
  const grown = Buffer.alloc(storage.data.length + 4)
  const cases = {
    good: [pt, ['ok']],
    'good, written again': [zip(entries), ['ok']],
    'code of another': [change(moduleCode.name, Buffer.concat([moduleCode.data, Buffer.from('#')])), ['MODEL_UNTRUSTED']],
    'a method __setstate__': [change(moduleCode.name, evil), ['MODEL_UNTRUSTED']],
    'a code file more': [zip([...entries, { name: `${folder}code/__torch__/more.py`, data: evil }]), ['MODEL_UNTRUSTED']],
    'a code file less': [without(moduleCode.name), ['MODEL_UNTRUSTED']],
    'other constants': [change('constants.pkl', whole(')')), ['MODEL_UNTRUSTED', 'ok']],
    'no constants': [without('constants.pkl'), ['MODEL_UNSUPPORTED']],
    'no config': [without('extra/config.json'), ['MODEL_UNTRUSTED']],
    'no manifest': [without('extra/softprompt.json'), ['MODEL_UNTRUSTED']],
    'a config that is none': [change('extra/config.json', Buffer.from('{')), ['CONFIG_INVALID']],
    'a config of a huge network': [
      change(
        'extra/config.json',
        Buffer.from(JSON.stringify({ ...JSON.parse(named('extra/config.json').data), num_layers: 1024, num_decoder_layers: 1024 })),
      ),
      ['MODEL_UNTRUSTED'],
    ],
    'a manifest that is none': [change('extra/softprompt.json', Buffer.from('[]')), ['MODEL_UNTRUSTED']],
    'a manifest of another model': [
      change('extra/softprompt.json', Buffer.from(JSON.stringify({ format: 1, fingerprint: '0'.repeat(64), held: '0'.repeat(64) }))),
      TS,
    ],
    'no pickle': [without('/data.pkl'), TS],
    'a pickle of nothing': [change('/data.pkl', whole('N')), TS],
    'a pickle that calls': [change('/data.pkl', whole(join(global('os', 'system'), tuple(pickle.text('true')), 'R'))), TS],
    'a module that is built twice': [change('/data.pkl', whole(join(global('__torch__', 'M'), ')', Buffer.from([0x81]), '}b}b'))), TS],
    'a module whose state is a number': [change('/data.pkl', module(integer(1))), TS],
    'a module inside itself': [
      change(
        '/data.pkl',
        whole(join(global('__torch__', 'M'), ')', Buffer.from([0x81]), 'q\0', '}', '(', pickle.text('a'), 'h\0', 'u', 'b')),
      ),
      TS,
    ],
    'a module without tensors': [change('/data.pkl', module('}')), ['MODEL_TENSOR_MISSING']],
    'a storage that is larger than said': [change(storage.name, grown), TS],
    'a storage that is smaller than said': [change(storage.name, storage.data.subarray(4)), TS],
    'a storage that is missing': [without(storage.name), [...TS, 'MODEL_UNTRUSTED']],
    'numbers changed': [change(storage.name, Buffer.alloc(storage.data.length)), TS],
    'an entry outside of the folder': [zip([...entries, { name: 'elsewhere', data: Buffer.alloc(1) }]), TS],
    'a state dict of torch.save': [archive(whole('}'), {}), ['MODEL_UNSUPPORTED']],
    empty: [Buffer.alloc(0), TS],
    text: [Buffer.from('not an archive at all, only text'), TS],
    safetensors: [Buffer.from('PK\x03\x04'), TS],
  }
  for (const part of [0.1, 0.3, 0.5, 0.7, 0.9, 0.99]) cases[`cut to ${part}`] = [pt.subarray(0, Math.floor(pt.length * part)), TS]
  return Object.entries(cases).map(([name, [bytes, codes]]) => ({ name: `.pt: ${name}`, as: 'pt', bytes, codes }))
}
