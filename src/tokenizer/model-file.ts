import type { TimeSlice } from '../time-slice.js'
import { decodeUtf8 } from '../utf8.js'
import { ProtobufReader } from './protobuf.js'
import type { Refuse } from './tokenizer.js'

/** `ModelProto.SentencePiece.Type`. */
export const PieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

export interface Piece {
  text: string
  /** The text's UTF-8. */
  bytes: Uint8Array
  /** Natural log of the piece's probability, a float32. */
  score: number
  type: number
}

export interface NormalizerSpec {
  precompiledCharsMap: Uint8Array
  addDummyPrefix: boolean
  removeExtraWhitespaces: boolean
  escapeWhitespaces: boolean
}

/** What a SentencePiece model file (sentencepiece_model.proto) says, as far as encoding and decoding need it. */
export interface SentencePieceModel {
  pieces: Piece[]
  unknownId: number
  byteFallback: boolean
  unknownSurface: string
  whitespaceAsSuffix: boolean
  normalizer: NormalizerSpec
}

const UNIGRAM = 1

export interface ParseOptions {
  slice: TimeSlice
  /** Makes TOKENIZER_INVALID of a reason. */
  refuse: Refuse
  /** Makes TOKENIZER_UNSUPPORTED of the reason why a sound model is of another kind. */
  refuseKind: Refuse
}

/** Reads a Unigram model. */
export async function parseSentencePieceModel(bytes: Uint8Array, { slice, refuse, refuseKind }: ParseOptions): Promise<SentencePieceModel> {
  let parsed: Parsed
  try {
    parsed = await parseModel(bytes, slice)
  } catch (error) {
    throw refuse(`it is not a SentencePiece model: ${(error as Error).message}`)
  }
  const { modelType, ...model } = parsed
  if (modelType !== UNIGRAM) throw refuseKind(`it is a SentencePiece model of type ${modelType} (BPE, word or character), not Unigram`)
  if (slice.spent) await slice.pause()
  const reason = faultOf(model)
  if (reason) throw refuse(reason)
  return model
}

interface Parsed extends SentencePieceModel {
  modelType: number
}

async function parseModel(bytes: Uint8Array, slice: TimeSlice): Promise<Parsed> {
  const model: Parsed = {
    pieces: [],
    unknownId: -1,
    byteFallback: false,
    unknownSurface: ' \u2047 ',
    whitespaceAsSuffix: false,
    normalizer: { precompiledCharsMap: new Uint8Array(), addDummyPrefix: true, removeExtraWhitespaces: true, escapeWhitespaces: true },
    modelType: UNIGRAM,
  }
  // A Buffer's views cost more than a plain array's, and there is one for each piece.
  const reader = new ProtobufReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
  while (reader.next()) {
    if (slice.spent) await slice.pause()
    if (reader.field === 1) model.pieces.push(parsePiece(reader.message()))
    else if (reader.field === 2) parseTrainer(reader.message(), model)
    else if (reader.field === 3) parseNormalizer(reader.message(), model.normalizer)
  }
  model.unknownId = model.pieces.findIndex((piece) => piece.type === PieceType.unknown)
  return model
}

function parsePiece(message: Uint8Array): Piece {
  const piece: Piece = { text: '', bytes: new Uint8Array(), score: 0, type: PieceType.normal }
  const reader = new ProtobufReader(message)
  while (reader.next()) {
    if (reader.field === 1) piece.bytes = reader.message()
    else if (reader.field === 2) piece.score = reader.float()
    else if (reader.field === 3) piece.type = reader.integer()
  }
  piece.text = decodeUtf8(piece.bytes)
  return piece
}

function parseTrainer(message: Uint8Array, model: Parsed): void {
  const reader = new ProtobufReader(message)
  while (reader.next()) {
    if (reader.field === 3) model.modelType = reader.integer()
    else if (reader.field === 24) model.whitespaceAsSuffix = reader.boolean()
    else if (reader.field === 35) model.byteFallback = reader.boolean()
    else if (reader.field === 44) model.unknownSurface = decodeUtf8(reader.message())
  }
}

function parseNormalizer(message: Uint8Array, spec: NormalizerSpec): void {
  const reader = new ProtobufReader(message)
  while (reader.next()) {
    if (reader.field === 2) spec.precompiledCharsMap = reader.message()
    else if (reader.field === 3) spec.addDummyPrefix = reader.boolean()
    else if (reader.field === 4) spec.removeExtraWhitespaces = reader.boolean()
    else if (reader.field === 5) spec.escapeWhitespaces = reader.boolean()
  }
}

function faultOf({ pieces, unknownId, byteFallback }: SentencePieceModel): string | undefined {
  if (pieces.length === 0) return 'it holds no pieces'
  if (unknownId < 0) return 'it has no piece for the unknown'
  const seen = new Set<string>()
  for (const [id, piece] of pieces.entries()) {
    if (piece.text === '') return `piece ${id} is empty`
    if (!Number.isFinite(piece.score)) return `the score of piece ${id} is not a finite number`
    if (seen.has(piece.text)) return `piece ${id} (${JSON.stringify(piece.text)}) is there twice`
    seen.add(piece.text)
  }
  if (pieces.filter((piece) => piece.type === PieceType.unknown).length > 1) return 'it has more than one piece for the unknown'
  const missingByte = byteFallback ? [...Array(256).keys()].find((byte) => !seen.has(byteName(byte))) : undefined
  if (missingByte !== undefined) return `it falls back to bytes but has no piece ${byteName(missingByte)}`
  return undefined
}

/** SentencePiece's spelling of a byte piece: `<0x0A>`. */
export function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}
