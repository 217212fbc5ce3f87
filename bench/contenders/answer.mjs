import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Answers requests from the standard input, one JSON line each, as contender.mjs asks them; `works` has a function for each kind of work. */
export async function answerRequests(works) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { work, ...request } = JSON.parse(line)
    const answer = await (async () => works[work](request))().catch((error) => ({ error: error.message }))
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
}

/** How long the work took, and what it used of the processors, all threads together. */
export async function seconds(work) {
  const [start, before] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(before)
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 }
}

/** Bytes of this process in memory: now ('VmRSS'), or the most there were ('VmHWM'). */
export function residentBytes(field) {
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1])
}
