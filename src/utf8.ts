const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text of UTF-8 bytes, a byte order mark included; throws a TypeError for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  // Node's strict decoder is many times slower than its lenient one: it is asked only about texts that may have been mended.
  const text = lenient.decode(bytes)
  return text.includes('\ufffd') ? strict.decode(bytes) : text
}
