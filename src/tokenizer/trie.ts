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

  /** `keys` are distinct and not empty; the value of each is `values[i]`. */
  constructor(keys: readonly Uint8Array[], values: readonly number[]) {
    const upperBound = keys.reduce((sum, key) => sum + key.length, 1)
    const bits = Math.max(4, Math.ceil(Math.log2(2 * upperBound)))
    this.shift = 32 - bits
    this.edges = new Int32Array(2 << bits).fill(-1)
    const ends = new Int32Array(upperBound).fill(-1)
    for (const [i, key] of keys.entries()) ends[this.insert(key)] = values[i]!
    this.values = ends.slice(0, this.nodes)
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

  private insert(key: Uint8Array): number {
    let node = 0
    for (const byte of key) {
      const next = this.child(node, byte)
      node = next >= 0 ? next : this.addEdge((node << 8) | byte)
    }
    return node
  }

  private addEdge(edge: number): number {
    let slot = (Math.imul(edge, 0x9e3779b1) >>> this.shift) << 1
    while (this.edges[slot] !== -1) slot = (slot + 2) & (this.edges.length - 1)
    this.edges[slot] = edge
    this.edges[slot + 1] = this.nodes
    return this.nodes++
  }
}
