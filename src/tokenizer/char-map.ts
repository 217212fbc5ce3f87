import type { Refuse } from './tokenizer.js'

/** More bytes than any character rule takes or makes (those of NFKC stay below 40): text grows by no more than this factor. */
export const LONGEST_RULE = 256

/**
 * SentencePiece's precompiled character map: rules "these bytes become those", as a double-array trie (Darts-clone's layout) followed by the
 * replacements, each ended by a zero byte. File layout: uint32 size of the trie, the trie's uint32 units, the replacements; all little-endian.
 */
export class CharMap {
  /** Bytes that the last match covered. */
  matchLength = 0
  private readonly units: Uint32Array
  readonly replacements: Uint8Array

  constructor(blob: Uint8Array, refuse: Refuse) {
    if (blob.length === 0) {
      this.units = new Uint32Array()
      this.replacements = new Uint8Array()
      return
    }
    const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength)
    const trieBytes = blob.length > 4 ? view.getUint32(0, true) : Number.POSITIVE_INFINITY
    if (trieBytes >= blob.length - 4 || trieBytes % 4 !== 0) throw refuse('its table of character rules is cut short')
    this.units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true))
    this.replacements = blob.subarray(4 + trieBytes)
    if (this.replacements[this.replacements.length - 1] !== 0) throw refuse('its table of character rules does not end')
    if (longestRun(this.replacements) > LONGEST_RULE) throw refuse(`a character rule makes more than ${LONGEST_RULE} bytes of a character`)
  }

  /** Where the replacement of the longest rule that starts at `start` begins in `replacements`; -1 if there is no rule. */
  match(bytes: Uint8Array, start: number, end: number): number {
    const { units } = this
    let found = -1
    let node = units.length > 0 ? offsetOf(units[0]!) : 0
    const last = Math.min(end, start + LONGEST_RULE)
    for (let at = start; at < last; at++) {
      node ^= bytes[at]!
      if (node >= units.length) break
      const unit = units[node]!
      if (labelOf(unit) !== bytes[at]) break
      node ^= offsetOf(unit)
      if (hasLeaf(unit) && node < units.length) {
        found = units[node]! & 0x7fffffff
        this.matchLength = at + 1 - start
      }
    }
    return found < this.replacements.length ? found : -1
  }
}

/** Bytes of the longest stretch without a zero. */
function longestRun(bytes: Uint8Array): number {
  let longest = 0
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at)
    longest = Math.max(longest, end - at)
    at = end + 1
  }
  return longest
}

const hasLeaf = (unit: number) => ((unit >>> 8) & 1) === 1
// A leaf's top bit is part of its label, so that no byte equals it.
const labelOf = (unit: number) => (unit & 0x800000ff) >>> 0
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6)
