import { adaptation } from './adaptation.js'
import { ensembles } from './ensembles.js'
import type { Finding } from './finding.js'
import { init } from './init.js'
import { interpretability } from './interpretability.js'
import { length } from './length.js'
import { parameters } from './parameters.js'
import { pretraining } from './pretraining.js'
import { shift } from './shift.js'
import { size } from './size.js'

export type { Bar, Finding, Plot, Results, Section, Table } from './finding.js'

/** The paper's findings, in its order, by the names that --only takes. */
export const FINDINGS = { size, length, init, pretraining, adaptation, parameters, shift, ensembles, interpretability } satisfies Record<
  string,
  Finding
>

export type FindingName = keyof typeof FINDINGS
export const FINDING_NAMES = Object.keys(FINDINGS) as FindingName[]
