import { cutWarnings } from './data/summary.js'
import { type DataSet, type DataWarning, type ExampleSource, loadSet } from './dataset.js'
import { meanOf, membersOf } from './ensemble.js'
import { DataError, OptionError } from './errors.js'
import type { Frozen } from './frozen.js'
import type { Call } from './job.js'
import { shareInvalid } from './metrics/classification.js'
import { checkMetrics, computeMetrics, type MetricChoice } from './metrics/index.js'
import { checkOptions, integer, show, signal } from './options/check.js'
import { metricList } from './options/metrics.js'
import { type Agreement, predictGreedy, predictLabels, references, textOf } from './predict.js'
import { type AnyPrompt, anyPromptOption, checkPromptFor, PromptEnsemble } from './prompt.js'
import { type EncodedLabel, encodeLabels, labelList } from './score.js'
import { labelsOf } from './tune/metadata.js'

/** What `T5.evaluate` measures, and how. */
export interface EvaluateOptions {
  /** A file, or examples, or an (async) iterable of them. */
  data: ExampleSource
  /** The soft prompt in front of every input, or an ensemble; null for the bare model. @defaultValue null */
  prompt?: AnyPrompt | null
  /** Names ('accuracy', 'rougeL', 'f1:yes'; docs/data.md lists all), functions of your own or { name, compute }. @defaultValue ['accuracy'] */
  metrics?: readonly MetricChoice[]
  /** Predict by `classify` among these instead of by `generate`; every target must be one of them. */
  labels?: string[]
  /** Longer inputs are cut, and keep their `</s>`. @defaultValue 512 */
  maxInputLength?: number
  /** Longer targets are cut, and outputs are compared with what is left. @defaultValue 128 */
  maxTargetLength?: number
  /** Ends the call: it rejects with the reason. */
  signal?: AbortSignal
}

/** What came out for one example. */
export interface Prediction {
  /** As given; for token ids, what they decode to. */
  input: string
  /** What the target's ids decode to: the text that is compared. */
  target: string
  /** What the output's ids decode to. */
  prediction: string
  /** With an ensemble of prompts: how far they agree. */
  ensemble?: Agreement
}

/** What `T5.evaluate` found. */
export interface Evaluation {
  /** Each metric by its name. Accuracy and the like are shares, from 0 to 1 (docs/data.md). */
  metrics: Record<string, number>
  /**
   * The share of outputs that are no legal label: none of `labels`, or of those that the prompt's file names, or of the targets that occur. Left out where the
   * targets are free text.
   */
  invalid?: number
  /** With an ensemble of prompts: the mean of the rows' `ensemble.agreement`. */
  agreement?: number
  /** Examples. */
  count: number
  /** What to look at in the data: inputs and targets that were cut. Left out where there is nothing. */
  warnings?: DataWarning[]
  /** One an example, in their order. */
  predictions: Prediction[]
}

const anything = (value: unknown) => value as ExampleSource

/** Metrics of a prompt, or of the bare model, on a data set; see `T5.evaluate`. */
export async function evaluate(model: Frozen, call: Call, options: unknown): Promise<Evaluation> {
  const checks = {
    data: anything,
    prompt: anyPromptOption,
    metrics: metricList,
    labels: labelList,
    maxInputLength: integer(1),
    maxTargetLength: integer(1),
    signal,
  }
  const checked = checkOptions('evaluate', options, checks)
  if (checked.data === undefined)
    throw new OptionError('OPTION_INVALID', "evaluate: option 'data' is missing. Give a file or examples { input, target }.")
  const { prompt = null, metrics = ['accuracy'], maxInputLength = 512, maxTargetLength = 128 } = checked
  checked.signal?.throwIfAborted()
  for (const member of membersOf(prompt)) if (member) checkPromptFor(model, member, 'evaluate')
  const labels = checked.labels && encodeLabels(model, checked.labels)
  const set = await loadSet(model, checked.data, { maxInputLength, maxTargetLength, signal: checked.signal })
  if (labels) checkTargets(set, labels)
  const known = references(
    model,
    set,
    labels?.map(({ ids }) => textOf(model, ids)),
  )
  checkMetrics(metrics, known)

  const cancellable = { ...call, signal: checked.signal }
  const predicted = labels
    ? await predictLabels(model, cancellable, set, prompt, labels)
    : await predictGreedy(model, cancellable, set, prompt)
  const texts = predicted.map(({ text }) => text)
  const warnings = cutWarnings('evaluated', set, 'outputs are compared with what is left')
  const legal = known.labels ?? labelsOfPrompt(prompt) ?? labelsOf(model, set.targets)
  return {
    metrics: await computeMetrics(metrics, { ...known, predictions: texts }),
    ...(legal && { invalid: shareInvalid([...legal, ...known.targets], texts) }),
    ...(prompt instanceof PromptEnsemble && { agreement: meanOf(predicted.map(({ ensemble }) => ensemble!.agreement)) }),
    count: texts.length,
    ...(warnings.length > 0 && { warnings }),
    predictions: predicted.map(({ text, ensemble }, i) => {
      const target = known.targets[i] as string
      return { input: set.inputText(i), target, prediction: text, ...(ensemble && { ensemble }) }
    }),
  }
}

/** The labels that a prompt's file names; of an ensemble all of theirs. Undefined where one names none. */
function labelsOfPrompt(prompt: AnyPrompt | null): string[] | undefined {
  const named = membersOf(prompt).map((member) => labelsNamed(member?.metadata.labels))
  return named.every((labels) => labels !== undefined) ? named.flat() : undefined
}

/** Metadata may come from anywhere. */
function labelsNamed(json: string | undefined): string[] | undefined {
  try {
    const labels: unknown = JSON.parse(json ?? 'null')
    return Array.isArray(labels) && labels.every((label) => typeof label === 'string') ? labels : undefined
  } catch {
    return undefined
  }
}

function checkTargets(set: DataSet, labels: readonly EncodedLabel[]): void {
  const known = new Set(labels.map((label) => label.ids.join(' ')))
  set.targets.forEach((target, i) => {
    if (known.has(target.join(' '))) return
    const names = labels.map((label) => show(label.name)).join(', ')
    throw new DataError('DATA_LABEL_UNKNOWN', `${set.describe(i)}: the target ${show(set.targetText(i))} is none of the labels ${names}.`)
  })
}
