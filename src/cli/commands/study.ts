import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { checkReadable } from '../../data/lines.js'
import { FileError, OptionError } from '../../errors.js'
import { packageRoot } from '../../libtorch/load.js'
import { FINDING_NAMES, FINDINGS, type FindingName } from '../../study/findings/index.js'
import { markdown } from '../../study/markdown.js'
import { plotFiles, studyPage } from '../../study/page.js'
import { type Plan, readPlan } from '../../study/plan.js'
import { runStudy } from '../../study/run.js'
import { atScale, SCALES, type Scale } from '../../study/scale.js'
import { lacksOf, measurable, type Told, tell } from '../../study/sections.js'
import { checkWritable, writeWhole } from '../../writable.js'
import { list } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions } from '../load.js'
import { note, print } from '../output.js'

interface StudyFlags extends Omit<ModelFlags, 'model'> {
  out: string
  only?: FindingName[]
  scale: Scale
  data?: string
  json?: boolean
}

const EXAMPLES = `
Findings: ${FINDING_NAMES.join(', ')}

Examples:
  softprompt study --out nano                       what the plan in the package asks: nano-t5 on snips
  softprompt study --scale smoke --out smoke        each finding with a few steps, in a minute or two: does all of it work here?
  softprompt study plan.json --only size,length --out study

plan.json:
  { "models": { "small": "t5-small", "large": "t5-large" }, "main": "small",
    "tasks": { "reviews": { "train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl", "texts": ["good or bad?"] } },
    "shifts": { "books": { "train": "books.jsonl", "validation": "books-dev.jsonl", "test": "books-test.jsonl",
                           "elsewhere": { "films": "films.jsonl" } } },
    "pretrained": { "model": "t5-small-span", "text": ["books.txt"], "steps": [100, 1000], "mainSteps": 10000 },
    "lengths": [1, 5, 20, 100, 150], "seeds": [0, 1, 2], "steps": 400 }

Paths are taken from the plan's folder, or those of data from --data. Each result is kept in OUT/results.jsonl as soon as it is there: a study that is stopped goes
on where it stopped, and nothing is measured twice; after a change of a model or a file behind a name, take another folder. The page is in OUT/study.md and
OUT/study.html.`

export function studyCommand(root: Command): void {
  const command = root
    .command('study')
    .description("the paper's comparisons on your own models and tasks: sizes, lengths, initialisations, training, ensembles, domains")
    .argument('[plan.json]', 'models, tasks and what to vary (default: the one in the package)')
    .requiredOption('-o, --out <folder>', 'where results and pages are kept')
    .option('--only <a,b>', 'these findings only', findings)
    .option('--scale <name>', `full, or smoke: all of it with a few steps`, scale, 'full')
    .option('--data <folder>', "where the plan's paths of data start")
    .option('--json', 'what was found as one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((plan: string | undefined, flags: StudyFlags) => interruptible((signal) => study(plan, flags, signal)))
  machineOptions(command)
}

function findings(value: string, previous?: FindingName[]): FindingName[] {
  const names = list(value) as FindingName[]
  const unknown = names.find((name) => !FINDING_NAMES.includes(name))
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no finding '${unknown}'. There are ${FINDING_NAMES.join(', ')}.`)
  return [...(previous ?? []), ...names]
}

function scale(value: string): Scale {
  if (!(SCALES as readonly string[]).includes(value)) throw new InvalidArgumentError(`It must be ${SCALES.join(' or ')}.`)
  return value as Scale
}

async function study(path: string | undefined, flags: StudyFlags, signal: AbortSignal): Promise<void> {
  const plan = atScale(await readPlan(path ?? join(packageRoot(), 'examples', 'snips', 'study.json'), flags.data), flags.scale)
  await checkFiles(plan)
  const wanted = measurable(plan, flags.only)
  const left = (flags.only ?? []).filter((name) => !wanted.includes(name)).map((name) => `${name} needs ${lacksOf(name, plan)}`)
  if (wanted.length === 0)
    throw new OptionError('OPTION_INVALID', `The plan has not what ${flags.only} is measured with: ${left.join('; ')}.`)
  for (const what of left) note(`left out: ${what} in the plan`)
  await mkdir(join(flags.out, 'plots'), { recursive: true }).catch((cause) => {
    throw new FileError('FILE_NOT_WRITABLE', `The study cannot be kept in ${flags.out}: ${(cause as Error).message}. Name a folder.`, {
      cause,
    })
  })
  await checkWritable(join(flags.out, 'study.md'), 'The page')
  const cells = wanted.flatMap((name) => FINDINGS[name].cells(plan))
  const { device, dtype, threads, trust } = flags
  const store = await runStudy(plan, cells, { folder: flags.out, load: { device, dtype, threads, trust }, signal, tell: note })
  const told = tell(plan, store)
  await writePages(flags.out, plan, told)
  await print(flags.json ? JSON.stringify({ plan, ...told }) : markdown(plan, told, join(flags.out, 'plots')))
}

/** Before hours of work: everything that it will read. */
async function checkFiles({ models, tasks, shifts, pretrained }: Plan): Promise<void> {
  for (const { train, validation, test, elsewhere } of [...Object.values(tasks), ...Object.values(shifts)])
    for (const data of [train, validation, test, ...Object.values(elsewhere)]) await checkReadable(data)
  for (const model of [...Object.values(models), ...(pretrained ? [pretrained.model] : [])])
    if (!existsSync(model)) throw new FileError('FILE_NOT_FOUND', `There is no model at ${model}, which the plan names.`)
}

async function writePages(folder: string, plan: Plan, told: Told): Promise<void> {
  for (const [name, content] of Object.entries(plotFiles(told))) await writeWhole(join(folder, 'plots', name), content, 'The plot')
  await writeWhole(join(folder, 'study.md'), markdown(plan, told, 'plots'), 'The page')
  await writeWhole(join(folder, 'study.html'), studyPage(plan, told), 'The page')
}
