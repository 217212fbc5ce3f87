import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { checkReadable } from '../../data/lines.js'
import { FileError } from '../../errors.js'
import { studyPage } from '../../study/page.js'
import { readPlan } from '../../study/plan.js'
import { runStudy } from '../../study/run.js'
import { markdown, tablesOf } from '../../study/tables.js'
import { checkWritable, writeWhole } from '../../writable.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions } from '../load.js'
import { note, print } from '../output.js'

interface StudyFlags extends Omit<ModelFlags, 'model'> {
  out: string
  title: string
  json?: boolean
}

const EXAMPLES = `
Example:
  softprompt study plan.json --out snips-study

plan.json:
  { "models": { "nano": "models/nano-t5" },
    "train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl", "shifted": { "elsewhere": "other.jsonl" },
    "lengths": [20, 1, 5, 100], "inits": ["vocabulary", "uniform", { "labels": ["music", "weather"] }], "seeds": [0, 1, 2],
    "adapt": { "text": "books.txt", "steps": [0, 1000], "windowLength": 128 }, "steps": 400, "finetune": true }

One thing is varied at a time, from the first length and the first initialisation. Each result is kept as JSON in OUT/cells: a study that is stopped goes on
where it stopped, and one whose plan has grown does what is new. The tables are in OUT/study.md and OUT/study.html.`

export function studyCommand(root: Command): void {
  const command = root
    .command('study')
    .description("the paper's comparisons on your own task: lengths, initialisations, adaptation, ensembles, model tuning, domain shift")
    .argument('<plan.json>', 'what to vary')
    .requiredOption('-o, --out <folder>', 'where results and pages are kept')
    .option('--title <text>', "of the pages (default: 'Prompt tuning study')", 'Prompt tuning study')
    .option('--json', 'all results as one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((plan: string, flags: StudyFlags) => interruptible((signal) => study(plan, flags, signal)))
  machineOptions(command)
}

async function study(path: string, flags: StudyFlags, signal: AbortSignal): Promise<void> {
  const plan = await readPlan(path)
  for (const data of [plan.train, plan.validation, plan.test, ...Object.values(plan.shifted)]) await checkReadable(data)
  await mkdir(flags.out, { recursive: true }).catch((cause) => {
    throw new FileError('FILE_NOT_WRITABLE', `The study cannot be kept in ${flags.out}: ${(cause as Error).message}. Name a folder.`, {
      cause,
    })
  })
  await checkWritable(join(flags.out, 'study.md'), 'The page')
  const { device, dtype, threads, trust } = flags
  const results = await runStudy(plan, { folder: flags.out, load: { device, dtype, threads, trust }, signal, tell: note })
  const text = markdown(flags.title, tablesOf(results))
  await writeWhole(join(flags.out, 'study.md'), text, 'The page')
  await writeWhole(join(flags.out, 'study.html'), studyPage(flags.title, plan, results), 'The page')
  await print(flags.json ? JSON.stringify({ plan, results }) : text)
}
