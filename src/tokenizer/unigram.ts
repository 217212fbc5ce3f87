import type { TimeSlice } from '../time-slice.js'
import { byteName, type Piece, PieceType, type SentencePieceModel } from './model-file.js'
import { characterLength } from './normalizer.js'
import { ByteTrie } from './trie.js'

const UNKNOWN_PENALTY = 10
const FLT_MIN = 2 ** -126
const KEPT_BYTES = 1 << 20

/**
 * The most probable segmentation under a unigram model (Kudo 2018, section 3.2) by Viterbi over bytes, as SentencePiece's EncodeOptimized computes it:
 * sums in float32, and a later candidate wins only with a strictly greater score. Those two decide between segmentations of almost equal score.
 */
export class Unigram {
  /** Bytes of the longest piece. */
  readonly longestPiece: number
  private readonly trie: ByteTrie
  private readonly scores: Float64Array
  private readonly unknownScore: number
  private readonly unknownId: number
  /** Ids of the 256 byte pieces, or null where the unknown stays unknown. */
  private readonly byteIds: Int32Array | null

  // Of each byte position: the best path that ends there. Grown as needed, kept between calls.
  private pathScore = new Float32Array(0)
  private pathStart = new Int32Array(0)
  private pathId = new Int32Array(0)

  private constructor(model: SentencePieceModel, trie: ByteTrie) {
    const { pieces } = model
    this.trie = trie
    this.longestPiece = pieces.reduce((longest, piece) => Math.max(longest, piece.bytes.length), 0)
    const normal = pieces.filter((piece) => piece.type === PieceType.normal)
    const lowest = normal.reduce((low, piece) => Math.min(low, piece.score), 3.4028234663852886e38)
    const highest = normal.reduce((high, piece) => Math.max(high, piece.score), FLT_MIN)
    this.scores = Float64Array.from(pieces, (piece) =>
      // A user's own piece outweighs any other reading of its bytes.
      piece.type === PieceType.userDefined ? Math.fround(piece.bytes.length * highest) - 0.1 : piece.score,
    )
    this.unknownScore = Math.fround(lowest - UNKNOWN_PENALTY)
    this.unknownId = model.unknownId
    this.byteIds = model.byteFallback ? byteIdsOf(pieces) : null
  }

  static async create(model: SentencePieceModel, slice: TimeSlice): Promise<Unigram> {
    const { pieces } = model
    const ids = [...pieces.keys()].filter((id) => isMatched(pieces[id]!))
    return new Unigram(model, await ByteTrie.of(pieces, ids, slice))
  }

  /** Appends the ids of the normalised text to `ids`; stops soon after `limit` of them are there, and says at which byte. */
  encode(text: Uint8Array, ids: number[], limit: number): number {
    this.reserve(text.length + 1)
    const { pathScore, pathStart } = this
    pathStart.fill(-1, 0, text.length + 1)
    pathScore[0] = 0
    let reach = 0
    let done = 0
    let afterUnknown = false
    for (let start = 0; start < text.length; ) {
      // No piece crosses a position that nothing reaches beyond: every path goes through it, and what lies before is settled.
      if (start === reach && start > done) {
        afterUnknown = this.backtrack({ text, from: done, to: start, afterUnknown }, ids)
        done = start
        if (ids.length >= limit) return done
      }
      const width = Math.min(characterLength(text[start]!), text.length - start)
      reach = Math.max(reach, this.extend(text, start, width))
      start += width
    }
    this.backtrack({ text, from: done, to: text.length, afterUnknown }, ids)
    return text.length
  }

  /** Tries every piece that starts here, and the unknown where no piece is the single character; gives back the furthest end. */
  private extend(text: Uint8Array, start: number, width: number): number {
    const { trie, scores } = this
    const { values } = trie
    const before = this.pathScore[start]!
    let reach = 0
    let hasCharacter = false
    for (let end = start, node = 0; end < text.length; ) {
      node = trie.child(node, text[end++]!)
      if (node < 0) break
      const id = values[node]!
      if (id < 0) continue
      this.offer(start, end, id, Math.fround(scores[id]! + before))
      reach = end
      if (end - start === width) hasCharacter = true
    }
    if (hasCharacter) return reach
    this.offer(start, start + width, this.unknownId, Math.fround(this.unknownScore + before))
    return Math.max(reach, start + width)
  }

  private offer(start: number, end: number, id: number, score: number): void {
    if (this.pathStart[end] !== -1 && !(score > this.pathScore[end]!)) return
    this.pathScore[end] = score
    this.pathStart[end] = start
    this.pathId[end] = id
  }

  /** Appends the best path of text[from .. to). Neighbouring unknowns become one; says whether the last piece is unknown. */
  private backtrack({ text, from, to, afterUnknown }: Stretch, ids: number[]): boolean {
    const ends: number[] = []
    for (let end = to; end > from; end = this.pathStart[end]!) ends.push(end)
    let unknown = afterUnknown
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
      const id = this.pathId[end]!
      const wasUnknown = unknown
      unknown = id === this.unknownId
      if (unknown && this.byteIds) for (let at = this.pathStart[end]!; at < end; at++) ids.push(this.byteIds[text[at]!]!)
      else if (!unknown || !wasUnknown) ids.push(id)
    }
    return unknown
  }

  private reserve(size: number): void {
    const { length } = this.pathScore
    if (size <= length && length <= KEPT_BYTES) return
    const capacity = size > KEPT_BYTES ? size : Math.max(2 * size, 1 << 12)
    this.pathScore = new Float32Array(capacity)
    this.pathStart = new Int32Array(capacity)
    this.pathId = new Int32Array(capacity)
  }
}

interface Stretch {
  text: Uint8Array
  from: number
  to: number
  afterUnknown: boolean
}

const isMatched = (piece: Piece) => piece.type === PieceType.normal || piece.type === PieceType.userDefined

function byteIdsOf(pieces: readonly Piece[]): Int32Array {
  const idOf = new Map(pieces.map((piece, id) => [piece.text, id]))
  return Int32Array.from({ length: 256 }, (_, byte) => idOf.get(byteName(byte))!)
}
