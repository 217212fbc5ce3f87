import pc from 'picocolors'
import { bytes } from '../format.js'
import type { ModelMemory } from '../inspect.js'

export { bytes, count, duration, metricsLine, metricValue, percent } from '../format.js'

export function memoryText({ float32, bfloat16, int8 }: ModelMemory): string {
  return `${bytes(float32)} as float32, ${bytes(bfloat16)} as bfloat16${int8 === undefined ? '' : `, ${bytes(int8)} as int8`}`
}

/** The result, for people or programs; waits where the reader is slow. A reader that has gone (`| head`) ends the process quietly. */
export function print(text: string): Promise<void> {
  return write(`${text}\n`)
}

/** As print, without a line's end. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve))
}

/** What is going on; never mixed with the result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** What a person should look at. */
export function warningLine(message: string): string {
  return `${pc.yellow('warning')}: ${message}`
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})
