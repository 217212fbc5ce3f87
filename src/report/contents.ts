import type { Explanation } from '../explain.js'
import type { SoftPrompt } from '../prompt.js'
import type { TuneReport } from '../tune/report.js'

/** What a report tells of; survives JSON. */
export interface ReportContents {
  prompt: Pick<SoftPrompt, 'rows' | 'dModel' | 'metadata'>
  report: TuneReport
  /** Of all runs of the call, where there were several; `report` is of the best. */
  runs?: TuneReport[] | undefined
  explanation?: Explanation | undefined
}
