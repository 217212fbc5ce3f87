import type { Case } from './corpus.mjs'
export function layOut(item: Case, home: string, sound: { config: string; weights: string }): string
