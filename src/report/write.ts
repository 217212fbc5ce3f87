import { extname } from 'node:path'
import type { Explanation } from '../explain.js'
import { checkOptions, invalidOption, isObject, show, text } from '../options/check.js'
import { SoftPrompt } from '../prompt.js'
import type { AdaptResult, FinetuneResult } from '../train/runs.js'
import type { RunResult } from '../tune/run.js'
import { writeWhole } from '../writable.js'
import type { ReportContents } from './contents.js'
import { modelPage } from './model.js'
import { page } from './page.js'

/** What `adapt` and `finetune` resolve to. */
export type ModelResult = AdaptResult | FinetuneResult

/** What `writeReport` adds. */
export interface ReportOptions {
  /** Of the prompt, by `explain`: what its rows resemble is then part of the report. */
  explanation?: Explanation
}

/**
 * Writes how a training run went to `path`: as a page to look at (`.html`), which needs no other file, script or network, or the same numbers for programs
 * (`.json`: `{ prompt: { rows, dModel, metadata }, report, runs, explanation }`, with `runs` being the reports of several; of `adapt` and `finetune` `{ report }`).
 *
 * Rejects with OPTION_INVALID for a name of another ending, FILE_NOT_WRITABLE or FILE_WRITE.
 *
 * @example
 * const result = await run.result
 * await writeReport('run.html', result, { explanation: await result.prompt.explain(t5) })
 */
export async function writeReport(
  path: string,
  result: (RunResult & { runs?: readonly RunResult[] }) | ModelResult,
  options?: ReportOptions,
): Promise<void> {
  const form = reportForm(text(path, 'path'))
  if (isModelResult(result)) {
    const { report } = result
    return writeWhole(path, form === 'json' ? `${JSON.stringify({ report }, null, 2)}\n` : modelPage(report), 'The report')
  }
  const { prompt, report, runs = [] } = resultOf(result)
  const { explanation } = checkOptions('writeReport', options, { explanation: explanationOption })
  const { rows, dModel, metadata } = prompt
  const contents: ReportContents = {
    ...{ prompt: { rows, dModel, metadata }, report },
    ...{ runs: runs.length > 1 ? runs.map((run) => run.report) : undefined, explanation },
  }
  await writeWhole(path, form === 'json' ? `${JSON.stringify(contents, null, 2)}\n` : page(contents), 'The report')
}

function isModelResult(value: unknown): value is ModelResult {
  return isObject(value) && !('prompt' in value) && 'model' in value && isObject(value.report)
}

/** Throws OPTION_INVALID where the path's ending tells no form. */
export function reportForm(path: string): 'html' | 'json' {
  const ending = extname(path).toLowerCase()
  if (ending === '.html' || ending === '.htm') return 'html'
  if (ending === '.json') return 'json'
  throw invalidOption('report', path, 'the path of a file that ends in .html or .json')
}

function resultOf(value: unknown): RunResult & { runs?: readonly RunResult[] } {
  if (isObject(value) && value.prompt instanceof SoftPrompt && isObject(value.report)) return value as unknown as RunResult
  throw invalidOption('result', value, `what a tuning run's result resolves to, { prompt, report }`)
}

const explanationOption = (value: unknown, name: string): Explanation => {
  if (isObject(value) && Array.isArray(value.rows)) return value as unknown as Explanation
  throw invalidOption(name, value, `what explain resolves to (got ${show(value)})`)
}
