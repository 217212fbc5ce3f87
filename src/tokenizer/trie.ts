import type { TimeSlice } from '../time-slice.js'

/**
 * A trie over bytes in one hash table: the edge (node, byte) leads to a node. Node 0 is the root. Linear probing in a table that is at most half full.
 */
export class ByteTrie {
  /** Of each node: the value of the key that ends there, or -1. */
  readonly values: Int32Array
  // Pairs: the edge (node * 256 + byte), the node it leads to. -1 marks a free pair.
  private readonly edges: Int32Array
  private readonly shift: number
  private nodes = 1

  /** Room for keys of `capacity` bytes together. */
  constructor(capacity: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(2 * (capacity + 1))))
    this.shift = 32 - bits
    this.edges = new Int32Array(2 << bits).fill(-1)
    this.values = new Int32Array(capacity + 1).fill(-1)
  }

  /** Builds the trie of `ids`, each the value of the piece of that number. */
  static async of(pieces: readonly { bytes: Uint8Array }[], ids: readonly number[], slice: TimeSlice): Promise<ByteTrie> {
    const trie = new ByteTrie(ids.reduce((sum, id) => sum + pieces[id]!.bytes.length, 0))
    for (const id of ids) {
      if (slice.spent) await slice.pause()
      trie.add(pieces[id]!.bytes, id)
    }
    return trie
  }

  /** `key` is not empty; the last value of several counts. */
  add(key: Uint8Array, value: number): void {
    let node = 0
    for (const byte of key) {
      const next = this.child(node, byte)
      node = next >= 0 ? next : this.addEdge((node << 8) | byte)
    }
    this.values[node] = value
  }

  /** The node that `byte` leads to, or -1. */
  child(node: number, byte: number): number {
    const { edges } = this
    const edge = (node << 8) | byte
    let slot = (Math.imul(edge, 0x9e3779b1) >>> this.shift) << 1
    for (;;) {
      const found = edges[slot]!
      if (found === edge) return edges[slot + 1]!
      if (found === -1) return -1
      slot = (slot + 2) & (edges.length - 1)
    }
  }

  /** Bytes of the longest key that starts at `start`; 0 if none does. */
  longestPrefix(bytes: Uint8Array, start: number, end: number): number {
    let longest = 0
    for (let at = start, node = 0; at < end; ) {
      node = this.child(node, bytes[at++]!)
      if (node < 0) break
      if (this.values[node]! >= 0) longest = at - start
    }
    return longest
  }

  private addEdge(edge: number): number {
    let slot = (Math.imul(edge, 0x9e3779b1) >>> this.shift) << 1
    while (this.edges[slot] !== -1) slot = (slot + 2) & (this.edges.length - 1)
    this.edges[slot] = edge
    this.edges[slot + 1] = this.nodes
    return this.nodes++
  }
}
