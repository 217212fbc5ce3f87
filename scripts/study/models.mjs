// `npm run study:models -- [--only 1m,3m,8m] [--minutes N] [--data build/study]`: trains the T5s of the study, as far as the time reaches; the next call goes on, bit for
// bit where the last one's newest checkpoint stands. A model's way: span corruption, saved as NAME-span; from there LM adaptation, saved as NAME.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { T5 } from 'softprompt'
import { fail, rootPath } from '../shared.mjs'
import { FAMILY, STAGES } from './family.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(FAMILY).join(',') },
    minutes: { type: 'string', default: '60' },
    data: { type: 'string', default: join(rootPath, 'build/study') },
    out: { type: 'string', default: join(rootPath, 'build/study/models') },
    threads: { type: 'string', default: '1' },
  },
})
const minutes = Number(values.minutes)
const threads = Number(values.threads)
if (!(minutes > 0 && threads > 0)) fail('--minutes and --threads are positive numbers')
const tokenizer = join(rootPath, 'models/nano-t5')
const over = AbortSignal.timeout(60_000 * minutes)

for (const size of values.only.split(',')) {
  if (!FAMILY[size]) fail(`no size ${size}; there are ${Object.keys(FAMILY).join(', ')}`)
  for (const stage of STAGES) {
    if (over.aborted) break
    await train(size, stage)
  }
}

/** One stage of one model, unless it is there. */
async function train(size, { suffix, from, options }) {
  const out = join(values.out, `t5-${size}${suffix}`)
  if (existsSync(out)) return
  if (from !== undefined && !existsSync(join(values.out, `t5-${size}${from}`))) return
  mkdirSync(values.out, { recursive: true })
  const t5 =
    from === undefined
      ? await T5.create(FAMILY[size], { tokenizer, seed: 0, threads })
      : await T5.load(join(values.out, `t5-${size}${from}`), { threads })
  try {
    const run = t5.adapt({
      ...options,
      text: join(values.data, 'corpus/train'),
      validation: join(values.data, 'corpus/held-out'),
      checkpoint: { path: `${out}.ckpt`, every: 100 },
      resume: true,
      signal: over,
    })
    for await (const event of run) tellOf(event, `t5-${size}${suffix}`)
    const { model, report } = await run.result
    writeFileSync(`${out}.json`, `${JSON.stringify(report, null, 1)}\n`)
    await model.save(out)
    await model.dispose()
  } catch (error) {
    if (!over.aborted) throw error
    process.stdout.write(`t5-${size}${suffix}: the time is up\n`)
  } finally {
    await t5.dispose()
  }
}

function tellOf(event, name) {
  if (event.type === 'start') process.stdout.write(`${name}: from step ${event.resumedFrom} of ${event.steps}\n`)
  if (event.type === 'evaluation')
    process.stdout.write(`${name}: step ${event.step}, ${event.metrics.loss.toFixed(3)} nats a held-out token\n`)
}
