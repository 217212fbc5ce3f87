import type { EventEmitter } from 'node:events'

export interface TuneFigures {
  step: number
  steps?: number
  loss?: number
  accuracy?: number
}

export interface Calls {
  tune(path: string, onEvent?: (event: TuneFigures) => void): Promise<{ rows: number; dModel: number; seconds: number }>
  ask(input: string): Promise<string>
  close(): Promise<void>
}

export function callsTo(child: EventEmitter): Calls
