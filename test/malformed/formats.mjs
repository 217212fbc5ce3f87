// Builders of the file formats, exact to the byte, so that a test can break one field at a time.

export const u16 = (n) => number(n, 2)
export const u32 = (n) => number(n, 4)
export const u64 = (n) => number(n, 8)

function number(value, size) {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
  return out.subarray(0, size)
}

export const join = (...parts) => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part)))

// ---- safetensors

/** `header`: an object or the header's own text. */
export function safetensors(header, data = Buffer.alloc(0), { length } = {}) {
  const text = Buffer.isBuffer(header) ? header : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  return join(u64(length ?? text.length), text, data)
}

// ---- .npy

export function npy(header, data, { version = 1, length, magic = '\x93NUMPY' } = {}) {
  const text = Buffer.from(header)
  const size = length ?? text.length
  return join(Buffer.from(magic, 'latin1'), Buffer.from([version, 0]), version === 1 ? u16(size) : u32(size), text, data)
}

// ---- zip

export function crc32(bytes) {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1
  }
  return ~crc >>> 0
}

/**
 * A zip archive of stored entries. An entry may override any field: { name, data, crc, size, packed, method, flags, offset, volume, localName,
 * localMethod, localSignature, extra }, and `end` those of the end record.
 */
export function zip(entries, end = {}) {
  const parts = []
  const directory = []
  let at = 0
  for (const entry of entries) {
    const { name, data } = entry
    const shared = (method) =>
      join(
        u16(0),
        u16(entry.flags ?? 0),
        u16(method),
        u32(0),
        u32(entry.crc ?? crc32(data)),
        u32(entry.packed ?? data.length),
        u32(entry.size ?? data.length),
      )
    const localName = Buffer.from(entry.localName ?? name)
    const localExtra = entry.localExtra ?? Buffer.alloc(0)
    const local = join(
      u32(entry.localSignature ?? 0x04034b50),
      shared(entry.localMethod ?? entry.method ?? 0),
      u16(localName.length),
      u16(localExtra.length),
      localName,
      localExtra,
      data,
    )
    const extra = entry.extra ?? Buffer.alloc(0)
    const nameBytes = Buffer.from(name)
    directory.push(
      u32(entry.signature ?? 0x02014b50),
      u16(0),
      shared(entry.method ?? 0),
      u16(entry.nameLength ?? nameBytes.length),
      u16(extra.length),
      u16(0),
      u16(entry.volume ?? 0),
      Buffer.alloc(6),
      u32(entry.offset ?? at),
      nameBytes,
      extra,
    )
    parts.push(local)
    at += local.length
  }
  const central = join(...directory)
  return join(
    ...parts,
    central,
    end.before ?? Buffer.alloc(0),
    u32(end.signature ?? 0x06054b50),
    u16(end.volume ?? 0),
    u16(end.directoryVolume ?? 0),
    u16(end.entriesHere ?? entries.length),
    u16(end.entries ?? entries.length),
    u32(end.bytes ?? central.length),
    u32(end.offset ?? at),
    u16(end.comment ?? 0),
    end.after ?? Buffer.alloc(0),
  )
}

// ---- pickle

const shortText = (text) => join('X', u32(Buffer.byteLength(text)), text)
export const integer = (value) => (value >= 0 && value < 256 ? join('K', Buffer.from([value])) : join(Buffer.from([0x8a, 8]), u64(value)))
export const global = (module, name) => join('c', module, '\n', name, '\n')
export const tuple = (...items) => join('(', ...items, 't')
export const pickle = {
  text: shortText,
  none: Buffer.from('N'),
  emptyDict: Buffer.from('}'),
  mark: '(',
  setItems: 'u',
  reduce: 'R',
  stop: '.',
}
export const proto = (version = 2) => Buffer.from([0x80, version])
export const whole = (body, version = 2) => join(proto(version), body, '.')

const storageClasses = { F32: 'FloatStorage', BF16: 'BFloat16Storage', F16: 'HalfStorage', I64: 'LongStorage' }
export const itemBytes = { F32: 4, BF16: 2, F16: 2, I64: 8 }

export function rowMajor(shape) {
  const strides = []
  let step = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= shape[i]
  }
  return strides
}

/** torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks) */
export function tensorPickle({ key = '0', dtype = 'F32', shape, strides = rowMajor(shape), offset = 0, numbers, storageClass }) {
  const count = numbers ?? shape.reduce((a, b) => a * b, 1)
  const id = tuple(
    shortText('storage'),
    global('torch', storageClass ?? storageClasses[dtype]),
    shortText(key),
    shortText('cpu'),
    integer(count),
  )
  const sizes = (values) => tuple(...values.map(integer))
  return join(
    global('torch._utils', '_rebuild_tensor_v2'),
    '(',
    id,
    'Q',
    integer(offset),
    sizes(shape),
    sizes(strides),
    Buffer.from([0x89]),
    global('collections', 'OrderedDict'),
    ')R',
    't',
    'R',
  )
}

/** `items`: [name, pickled value] pairs. */
export const dictPickle = (items) => join('}', '(', ...items.flatMap(([name, value]) => [shortText(name), value]), 'u')

/** The archive of torch.save around a pickle and its storages { key: bytes }. */
export function archive(dataPkl, storages, { folder = 'archive', more = [], end } = {}) {
  const entries = [
    { name: `${folder}/data.pkl`, data: dataPkl },
    { name: `${folder}/byteorder`, data: Buffer.from('little') },
  ]
  for (const [key, data] of Object.entries(storages)) entries.push({ name: `${folder}/data/${key}`, data })
  entries.push({ name: `${folder}/version`, data: Buffer.from('3\n') }, ...more)
  return zip(entries, end)
}

/** A whole state dict: { name: { dtype, shape, bytes } }. */
export function stateDict(tensors, { change = (items) => items, version = 2 } = {}) {
  const storages = {}
  const items = Object.entries(tensors).map(([name, tensor], i) => {
    storages[i] = tensor.bytes
    return [name, tensorPickle({ ...tensor, key: String(i), numbers: tensor.bytes.length / itemBytes[tensor.dtype] })]
  })
  return archive(whole(dictPickle(change(items)), version), storages)
}

/** The tensors of a safetensors file: { name: { dtype, shape, bytes } }. */
export function tensorsOf(file) {
  const length = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.subarray(8, 8 + length).toString())
  delete header.__metadata__
  const data = file.subarray(8 + length)
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, bytes: data.subarray(from, to) }],
    ),
  )
}

/** The inverse of `tensorsOf`. */
export function safetensorsOf(tensors) {
  const header = {}
  const parts = []
  let at = 0
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] }
    parts.push(bytes)
    at += bytes.length
  }
  return safetensors(header, join(...parts))
}
