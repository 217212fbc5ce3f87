import { writeFile } from 'node:fs/promises'
import type { SoftPrompt } from '../prompt.js'
import type { TuneReport } from '../tune/report.js'
import { count, duration, percent } from './output.js'

const WIDTH = 720
const HEIGHT = 240
const LEFT = 48
const BOTTOM = 24

interface Point {
  x: number
  y: number
}

/** A page about a run that needs nothing else: its curves, its numbers, its settings. */
export async function writeReport(path: string, report: TuneReport, prompt: SoftPrompt): Promise<void> {
  await writeFile(path, page(report, prompt))
}

function page(report: TuneReport, prompt: SoftPrompt): string {
  const title = `Soft prompt${prompt.metadata.task ? `: ${prompt.metadata.task}` : ''}`
  const losses = report.losses.map(({ step, loss }) => ({ x: step, y: loss }))
  const charts = [chart('Training loss (nats a target token)', losses, report.steps)]
  for (const name of Object.keys(report.metrics)) {
    const points = report.history.map(({ step, metrics }) => ({ x: step, y: metrics[name] ?? 0 }))
    charts.push(chart(`Validation ${name}`, points, report.steps, { low: 0, high: 1 }))
  }
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { font-size: 1rem; margin: 1.5rem 0 .25rem } svg { width: 100%; height: auto } table { border-collapse: collapse }
td { padding: .1rem 1.5rem .1rem 0; vertical-align: top } td:first-child { color: #666 } pre { white-space: pre-wrap; background: #f5f5f5; padding: .75rem }
</style>
<h1>${escapeHtml(title)}</h1>
${table(facts(report, prompt))}
${charts.join('\n')}
<h2>Settings</h2>
<pre>${escapeHtml(JSON.stringify(report.options, null, 2))}</pre>
</html>
`
}

function facts(report: TuneReport, prompt: SoftPrompt): [string, string][] {
  const metrics = Object.entries(report.metrics).map(([name, value]): [string, string] => [`Validation ${name}`, percent(value)])
  return [
    ['Model', prompt.metadata.model ?? ''],
    ['Prompt', `${prompt.rows} x ${prompt.dModel} = ${count(prompt.rows * prompt.dModel)} numbers`],
    ['Steps', `${count(report.steps)}, the result is from step ${count(report.bestStep)}`],
    ...metrics,
    ['Time', `${duration(report.seconds)}, ${report.examplesPerSecond.toFixed(0)} examples a second`],
    ['Seed', String(report.seed)],
    ['Versions', `softprompt ${report.versions.softprompt}, LibTorch ${report.versions.libtorch}, Node ${report.versions.node}`],
  ]
}

function table(rows: [string, string][]): string {
  return `<table>${rows.map(([name, value]) => `<tr><td>${escapeHtml(name)}<td>${escapeHtml(value)}`).join('')}</table>`
}

function chart(title: string, points: Point[], steps: number, range?: { low: number; high: number }): string {
  const values = points.map((point) => point.y)
  const { low, high } = range ?? { low: 0, high: Math.max(1e-9, ...values) }
  const x = (step: number) => LEFT + ((WIDTH - LEFT) * step) / Math.max(1, steps)
  const y = (value: number) => (HEIGHT - BOTTOM) * (1 - (value - low) / (high - low)) + 4
  const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ')
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => gridLine(low + share * (high - low), y))
  return `<h2>${escapeHtml(title)}</h2>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT + 8}" role="img" aria-label="${escapeHtml(title)}" font-size="11" fill="#666">
${lines.join('\n')}
<text x="${LEFT}" y="${HEIGHT}">0</text><text x="${WIDTH}" y="${HEIGHT}" text-anchor="end">step ${count(steps)}</text>
<polyline points="${path}" fill="none" stroke="#2563eb" stroke-width="1.5"/>
</svg>`
}

function gridLine(value: number, y: (value: number) => number): string {
  const at = y(value).toFixed(1)
  const label = `<text x="${LEFT - 6}" y="${Number(at) + 4}" text-anchor="end">${Number(value.toPrecision(3))}</text>`
  return `<line x1="${LEFT}" x2="${WIDTH}" y1="${at}" y2="${at}" stroke="#ddd"/>${label}`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] as string)
}
