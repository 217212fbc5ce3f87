import type { ResolvedTune } from '../options/tune.js'

/** The file of a prompt that is kept: 'run.ckpt-300.safetensors'; of several runs 'run.ckpt-run1-300.safetensors', of tasks 'run.ckpt-reviews-300.safetensors'. */
export function keptPath({ checkpoint, runs, several }: ResolvedTune, run: number, step: number): string {
  const { task } = runs[run]!
  const name = task !== undefined ? `${encodeURIComponent(task).replaceAll('*', '%2A')}-` : several ? `run${run}-` : ''
  return `${checkpoint!.path}-${name}${step}.safetensors`
}
