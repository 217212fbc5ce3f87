import type {
  Native,
  NativeActiveRun,
  NativeGenerateOptions,
  NativeJob,
  NativeLoadOptions,
  NativeLoss,
  NativeModel,
  NativePromptedRows,
  NativePromptRows,
  NativeTrainerOptions,
  NativeTuneOptions,
  TokenRows,
} from '../../../src/native.js'

export function openDesk(): Native
export const tinyModel: string
export function load(native: Native, options?: Partial<NativeLoadOptions>): NativeJob<NativeModel>
export function tokenRows(rows: number[][]): TokenRows
export function promptedRows(rows: number[][], prompt?: NativePromptRows): NativePromptedRows
export function generateOptions(count: number, maxNewTokens: number, minNewTokens?: number): NativeGenerateOptions[]
export const loss: NativeLoss
export function tuneOptions(options?: Partial<NativeTuneOptions>): NativeTuneOptions
export const theRun: NativeActiveRun[]
export const endless: number
export function trainerOptions(options?: Partial<NativeTrainerOptions>): NativeTrainerOptions
export const trainerBatch: [TokenRows, TokenRows]
