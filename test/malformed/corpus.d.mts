export interface Case {
  name: string
  as: 'model' | 'pt' | 'prompt' | 'inspect'
  codes: string[]
  /** Of a file. */
  bytes?: Buffer
  size?: number
  /** Of a folder. */
  files?: Record<string, Buffer>
  config?: Buffer
}
export function corpus(sound: { config: string; weights: Buffer; pt: Buffer; spiece: Buffer }): Case[]
