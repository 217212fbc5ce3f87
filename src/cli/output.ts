import pc from 'picocolors'

export { bytes, count, duration, metricsLine, metricValue, percent } from '../format.js'

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
