import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { promisify } from 'node:util'

/**
 * PEFT with each optimiser at its default rate, and at the best of all rates, in as many seeds as are asked for. The best is the best on the test rows: what
 * choosing well could reach at most.
 */
export async function peft(study) {
  const { rates, seeds } = study.options.peer
  const found = []
  for (const optimizer of Object.keys(rates))
    for (const [i, rate] of rates[optimizer].entries())
      found.push({ optimizer, rate, isDefault: i === 0, runs: [await peftRun(study, optimizer, rate, seeds[0])] })
  const best = found.toSorted((a, b) => b.runs[0].metrics.accuracy - a.runs[0].metrics.accuracy)[0]
  for (const seed of seeds.slice(1)) best.runs.push(await peftRun(study, best.optimizer, best.rate, seed))
  return found
    .filter((one) => one.isDefault || one === best)
    .map((one) => ({ name: `PEFT, ${NAMES[one.optimizer]} at ${one.rate}${one === best ? ', its best' : ''}`, runs: one.runs }))
}

const NAMES = { adafactor: 'Adafactor', adamw: 'AdamW' }

function peftRun({ task, cells, settings, options }, optimizer, rate, seed) {
  const { steps, length, batchSize, peer, model, threads } = options
  const cell = { ...settings, system: 'peft', steps, length, batchSize, optimizer, rate, seed }
  return cells.get(cell, async () => {
    const file = (part) => {
      const path = cells.file({ ...settings, system: part }, 'jsonl')
      writeFileSync(path, task.data[part].map((row) => JSON.stringify(row)).join('\n'))
      return path
    }
    const sizes = ['--steps', steps, '--batch', batchSize, '--length', length, '--optimizer', optimizer, '--lr', rate, '--seeds', seed]
    const command = [peer.script, model, file('train'), file('test'), ...sizes.map(String)]
    const env = { ...process.env, ...(threads && { OMP_NUM_THREADS: String(threads) }) }
    const { stdout } = await promisify(execFile)(peer.python, command, { maxBuffer: 2 ** 26, env })
    const { accuracy, loss, train_seconds: seconds } = JSON.parse(stdout)
    return { metrics: { accuracy }, loss, steps, seconds }
  })
}
