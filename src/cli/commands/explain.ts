import Table from 'cli-table3'
import type { Command } from 'commander'
import { readExamples } from '../../data/index.js'
import type { Explanation } from '../../explain.js'
import { SoftPrompt } from '../../prompt.js'
import { integer } from '../arguments.js'
import { interruptible } from '../interrupt.js'
import { type ModelFlags, machineOptions, modelOption, withLoaded } from '../load.js'
import { print } from '../output.js'
import { type SourceFlags, sourceOf, sourceOptions } from '../source.js'

interface ExplainFlags extends ModelFlags, SourceFlags {
  nearest?: number
  against?: string
  data?: string
  examples: number
  json?: boolean
}

const EXAMPLES = `
Examples:
  softprompt explain task.safetensors --model models/nano-t5
  softprompt explain task.safetensors --model models/nano-t5 --against other.safetensors
  softprompt explain task.safetensors --model models/nano-t5 --data test.jsonl      what each row does for these examples

moved and cosine compare a row with the one that it started from (or that of --against). effect: how much more log-probability the targets have with the row than without.`

export function explainCommand(root: Command): void {
  const command = modelOption(root.command('explain'))
    .description("what a prompt's rows resemble, how far they moved, and what each does")
    .argument('<P>', 'the prompt')
    .option('--nearest <N>', 'nearest tokens a row (default: 5)', integer)
    .option('--against <P>', 'compare with this prompt, not with the start')
    .option('--data <F>', 'examples to leave out each row on')
    .option('--examples <N>', 'how many of them, from the first on', integer, 32)
    .option('--json', 'one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((path: string, flags: ExplainFlags) => interruptible((signal) => explain(path, flags, signal)))
  sourceOptions(command)
  machineOptions(command)
}

async function explain(path: string, flags: ExplainFlags, signal: AbortSignal): Promise<void> {
  const prompt = await SoftPrompt.load(path)
  const against = flags.against === undefined ? null : await SoftPrompt.load(flags.against)
  const examples =
    flags.data === undefined ? undefined : (await readExamples(sourceOf(flags.data, flags), { signal })).examples.slice(0, flags.examples)
  await withLoaded(flags, signal, async (t5) => {
    const explanation = await t5.explain(prompt, { nearest: flags.nearest, against, examples, signal })
    await print(flags.json ? JSON.stringify(explanation) : text(explanation))
  })
}

function text({ rows, from, similarity, logProb }: Explanation): string {
  const columns = [
    'row',
    'norm',
    ...(from ? ['moved', 'cosine'] : []),
    ...(logProb === undefined ? [] : ['effect']),
    'nearest tokens (cosine)',
  ]
  const table = new Table({ head: columns, style: { head: ['bold'], border: ['dim'], compact: true } })
  rows.forEach(({ norm, nearest, drift, effect }, row) => {
    const moved = from ? [drift?.distance.toFixed(2) ?? '', drift?.similarity.toFixed(2) ?? ''] : []
    const tokens = nearest.map(({ id, token, similarity }) => `${token ?? `<${id}>`} ${similarity.toFixed(2)}`).join('  ')
    table.push([String(row), norm.toFixed(2), ...moved, ...(effect === undefined ? [] : [effect.toFixed(3)]), tokens])
  })
  const told =
    from === 'start'
      ? ['moved: from where the run started']
      : from
        ? []
        : ['Where this prompt started is not known; --against compares it with another.']
  const whole = logProb === undefined ? [] : [`mean log-probability of the targets: ${logProb.toFixed(3)}`]
  const alike = similarity
    ? [
        `alike: ${similarity.averageTokens.toFixed(3)} (cosine of the mean rows), ${similarity.perToken.toFixed(3)} (mean over all pairs of rows)`,
      ]
    : []
  return [table.toString(), ...told, ...alike, ...whole].join('\n')
}
