import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SoftPrompt } from 'softprompt'

// Each system gives { name, runs: [{ metrics, steps, seconds, detail }] } for a task, or undefined where it has nothing to say.

/** The bare model. */
async function bare({ t5, task, cells, settings }) {
  const run = await cells.get({ ...settings, system: 'bare' }, () => measured(t5, task, null))
  return { name: 'no prompt', runs: [run] }
}

/** A prompt a seed, with the package's defaults. */
async function tuned({ t5, task, cells, settings, options }) {
  const runs = []
  for (const seed of options.seeds) {
    const { steps, length, batchSize } = options
    const cell = tunedCell(t5, settings, options, seed)
    const measure = async () => {
      const { train, validation } = task.data
      const run = t5.tune({ train, validation, prompt: { length }, steps, batchSize, seed, metrics: task.metrics, task: settings.task })
      const { prompt, report } = await run.result
      await prompt.save(cells.path(cell, 'safetensors'))
      return {
        ...(await measured(t5, task, prompt)),
        steps: report.steps,
        seconds: report.seconds,
        validation: report.metrics,
        settings: report.options,
      }
    }
    runs.push(await cells.get(cell, measure))
  }
  return { name: 'softprompt', runs }
}

function tunedCell(t5, settings, { steps, length, batchSize }, seed) {
  return { ...settings, system: 'softprompt', steps, length, batchSize, dtype: t5.dtype, threads: t5.info.threads, seed }
}

/** The seeds' prompts together, by vote. */
async function ensemble({ t5, task, cells, settings, options }) {
  const { seeds } = options
  if (seeds.length < 2) return undefined
  const measure = async () => {
    const paths = seeds.map((seed) => cells.path(tunedCell(t5, settings, options, seed), 'safetensors'))
    const prompts = await Promise.all(paths.map((path) => SoftPrompt.load(path)))
    return measured(t5, task, SoftPrompt.ensemble(prompts))
  }
  const cell = { ...tunedCell(t5, settings, options, seeds.join('+')), system: 'ensemble' }
  return { name: `softprompt, an ensemble of the ${seeds.length}`, runs: [await cells.get(cell, measure)] }
}

async function measured(t5, { data, metrics }, prompt) {
  const evaluation = await t5.evaluate({ data: data.test, prompt, metrics })
  return { metrics: evaluation.metrics, rows: evaluation.count, steps: 0, seconds: 0 }
}

/** PEFT at every rate and optimiser, the best on the test rows: what choosing well could reach at most. */
async function peft({ task, cells, settings, options }) {
  if (!options.peer) return undefined
  const { steps, length, batchSize, peerRates } = options
  const found = []
  for (const optimizer of ['adafactor', 'adamw']) {
    const cell = { ...settings, system: 'peft', steps, length, batchSize, optimizer, rates: peerRates }
    found.push(...(await cells.get(cell, () => peftRuns(task.data, cells.folder, cell, options))))
  }
  const best = found.toSorted((a, b) => b.accuracy - a.accuracy)[0]
  const run = { metrics: { accuracy: best.accuracy }, steps, seconds: best.train_seconds, detail: `${best.optimizer}, ${best.lr}` }
  return { name: 'PEFT, its best', runs: [run] }
}

async function peftRuns(data, folder, { task, steps, length, batchSize, optimizer, rates }, { peer, model }) {
  const file = (part) => {
    const path = join(folder, `${task}-${part}.jsonl`)
    writeFileSync(path, data[part].map((row) => JSON.stringify(row)).join('\n'))
    return path
  }
  const sizes = ['--steps', steps, '--batch', batchSize, '--length', length, '--optimizer', optimizer, '--lr', rates, '--seeds', 0]
  const command = [peer.script, model, file('train'), file('test'), ...sizes.map(String)]
  const { stdout } = await promisify(execFile)(peer.python, command, { maxBuffer: 2 ** 26 })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

export const SYSTEMS = [bare, tuned, ensemble, peft]
