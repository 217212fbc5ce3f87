import { existsSync } from 'node:fs'
import { SoftPrompt } from 'softprompt'
import { peft } from './peft.mjs'

// Each system gives [{ name, runs: [{ metrics, steps, seconds, bestStep }] }] for a task: a line of the table each.

/** The bare model. */
async function bare({ t5, task, cells, settings }) {
  const run = await cells.get({ ...settings, system: 'bare' }, () => measured(t5, task, null))
  return [{ name: 'no prompt', runs: [run] }]
}

/** A prompt a seed, with the package's defaults. The seeds are runs of their own and not of one pass: each then draws its batches too. */
async function tuned(study) {
  const { cells, options } = study
  const runs = []
  for (const seed of options.seeds) runs.push(await cells.get(tunedCell(study, seed), () => tune(study, seed)))
  return [{ name: 'softprompt', runs }]
}

async function tune(study, seed) {
  const { t5, task, cells, settings, options } = study
  const { steps, length, batchSize } = options
  const { train, validation } = task.data
  const run = t5.tune({ train, validation, prompt: { length }, steps, batchSize, seed, metrics: task.metrics, task: settings.task })
  const { prompt, report } = await run.result
  await prompt.save(cells.file(tunedCell(study, seed), 'safetensors'))
  return {
    ...(await measured(t5, task, prompt)),
    ...{ steps: report.steps, seconds: report.seconds, bestStep: report.bestStep },
    ...{ validation: report.metrics, history: report.history, settings: report.options },
  }
}

function tunedCell({ t5, task, settings, options }, seed) {
  const { steps, length, batchSize } = options
  const machine = { dtype: t5.dtype, threads: t5.info.threads }
  return { ...settings, system: 'softprompt', steps, length, batchSize, validationRows: task.data.validation.length, ...machine, seed }
}

/** The seeds' prompts together, by vote. Those whose files are not here are tuned again. */
async function ensemble(study) {
  const { t5, task, cells, options } = study
  const { seeds } = options
  if (seeds.length < 2) return []
  const measure = async () => {
    const prompts = []
    for (const seed of seeds) {
      const path = cells.file(tunedCell(study, seed), 'safetensors')
      if (!existsSync(path)) await tune(study, seed)
      prompts.push(await SoftPrompt.load(path))
    }
    return measured(t5, task, SoftPrompt.ensemble(prompts))
  }
  const cell = { ...tunedCell(study, seeds.join('+')), system: 'ensemble' }
  return [{ name: `softprompt, an ensemble of the ${seeds.length}`, runs: [await cells.get(cell, measure)] }]
}

async function measured(t5, { data, metrics }, prompt) {
  const evaluation = await t5.evaluate({ data: data.test, prompt, metrics })
  return { metrics: evaluation.metrics, rows: evaluation.count, steps: 0, seconds: 0 }
}

export const SYSTEMS = { bare, softprompt: tuned, ensemble, peft }
