// A reader of the protobuf wire format, as far as SentencePiece's model file needs it: four wire types, strictly bounded. (The libraries for it read
// past a truncated end, or bring a compiler along.)

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** Walks the fields of one message: `while (reader.next()) switch (reader.field) ...`, where each field's value may be read once or left. */
export class ProtobufReader {
  field = 0
  private wireType = -1
  private position = 0
  private valueRead = true
  private readonly view: DataView

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  next(): boolean {
    if (!this.valueRead) this.skip()
    if (this.position === this.bytes.length) return false
    const tag = this.readVarint()
    this.field = Math.floor(tag / 8)
    this.wireType = tag % 8
    this.valueRead = false
    return true
  }

  integer(): number {
    this.expect(VARINT)
    return this.readVarint()
  }

  boolean(): boolean {
    return this.integer() !== 0
  }

  float(): number {
    this.expect(FIXED32)
    return this.view.getFloat32(this.advance(4), true)
  }

  /** A view into the file's own bytes. */
  message(): Uint8Array {
    this.expect(BYTES)
    const length = this.readVarint()
    const start = this.advance(length)
    return this.bytes.subarray(start, start + length)
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) throw new RangeError(`field ${this.field} has wire type ${this.wireType}, not ${wireType}`)
    this.valueRead = true
  }

  private skip(): void {
    if (this.wireType === VARINT) this.readVarint()
    else if (this.wireType === FIXED64) this.advance(8)
    else if (this.wireType === FIXED32) this.advance(4)
    else if (this.wireType === BYTES) this.advance(this.readVarint())
    else throw new RangeError(`unknown wire type ${this.wireType}`)
  }

  private advance(length: number): number {
    const start = this.position
    if (length > this.bytes.length - start) throw new RangeError('it ends in the middle of a field')
    this.position += length
    return start
  }

  /** Exact up to 2^53; larger values (64-bit hashes, say) lose their low bits, and nothing here reads such a field. */
  private readVarint(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.advance(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a number of more than ten bytes')
  }
}
