import type { Plan } from './plan.js'

export const SCALES = ['smoke', 'full'] as const
export type Scale = (typeof SCALES)[number]

/** What must be tried at least: every finding, with as little of everything as it can be made of. Its figures say nothing. */
export function atScale(plan: Plan, scale: Scale): Plan {
  if (scale === 'full') return plan
  const { tasks, shifts, ablations, lengths, pretrained, inits } = plan
  const first = ablations[0] as string
  return {
    ...plan,
    title: `${plan.title}: a smoke test`,
    tasks: { [first]: tasks[first]! },
    shifts: Object.fromEntries(Object.entries(shifts).slice(0, 1)),
    pretrained: pretrained && {
      ...pretrained,
      steps: [1],
      mainSteps: 2,
      batchSize: 2,
      windowLength: Math.min(pretrained.windowLength, 64),
    },
    ...{ ablations: [first], lengths: [...lengths].sort((a, b) => a - b).slice(0, 3), length: Math.min(plan.length, 20), inits },
    ...{ seeds: plan.seeds.slice(0, 1), ensemble: 2, steps: 2, modelSteps: 1, batchSize: 4, validationRows: 8, testRows: 16 },
  }
}
