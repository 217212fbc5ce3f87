import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { quantile } from './statistics.mjs'
import { printTable } from './table.mjs'

const DATA = 'examples/snips/train.jsonl'
const NEW_TOKENS = 16

/** Requests a second and their latency, from clients that ask again when they are answered: alone, and with a tuning run beside them in the server. */
export async function serve({ folder, threads }, options) {
  const { clients, seconds } = options
  const dtype = options.trainingDtypes.at(-1)
  const inputs = readFileSync(DATA, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).input)
  const rows = []
  for (const tuning of [false, true])
    for (const count of [...new Set([1, clients])]) {
      const { latencies, took, steps } = await loaded([folder, dtype, threads, ...(tuning ? [DATA] : [])], inputs, count, seconds)
      const [p50, p99] = [0.5, 0.99].map((q) => (1000 * quantile(latencies, q)).toFixed(0))
      rows.push([
        count,
        tuning ? `${(steps / took).toFixed(2)} steps/s` : 'no',
        latencies.length,
        (latencies.length / took).toFixed(1),
        p50,
        p99,
      ])
    }
  const table = {
    title: `serve: ${NEW_TOKENS} new tokens a request, 4 prompts of 100 rows, ${dtype}`,
    head: ['clients', 'tuning beside', 'requests', 'a second', 'p50, ms', 'p99, ms'],
    rows,
  }
  printTable(table)
  return { tables: [table] }
}

/** Latencies in seconds of what `count` clients asked for so long, behind a second of warm-up. */
async function loaded(args, inputs, count, seconds) {
  const server = spawn(process.execPath, [fileURLToPath(new URL('contenders/server.mjs', import.meta.url)), ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]()
  const port = Number((await lines.next()).value)
  const agent = new Agent({ keepAlive: true, maxSockets: count })
  const begin = performance.now() + 1000
  const end = begin + 1000 * seconds
  const latencies = []
  const client = async (number) => {
    for (let i = number; performance.now() < end; i += count) {
      const start = performance.now()
      await ask(agent, port, { input: inputs[i % inputs.length], prompt: i, maxNewTokens: NEW_TOKENS })
      if (start >= begin) latencies.push((performance.now() - start) / 1000)
    }
  }
  await Promise.all(Array.from({ length: count }, (_, i) => client(i)))
  const took = (performance.now() - begin) / 1000
  agent.destroy()
  server.stdin.end()
  return { latencies, took, steps: Number((await lines.next()).value) }
}

async function ask(agent, port, body) {
  const response = await new Promise((resolve, reject) => {
    request({ agent, port, host: '127.0.0.1', method: 'POST' }, resolve).on('error', reject).end(JSON.stringify(body))
  })
  const answer = await text(response)
  if (response.statusCode !== 200) throw new Error(answer)
}
