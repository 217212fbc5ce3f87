import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { ROOT, TINY } from './helpers.js'

/** Runs code with a loaded model `t5` in a process of its own, where unhandled rejections do what they do in a user's. */
async function run(code: string): Promise<{ code: number | null; output: string }> {
  const script = `
    import { T5 } from 'softprompt'
    import { setTimeout as sleep } from 'node:timers/promises'
    process.on('unhandledRejection', (error) => { console.log('unhandled', error.code ?? error.message); process.exitCode = 7 })
    const t5 = await T5.load(${JSON.stringify(TINY)}, { threads: 1 })
    const good = { train: [{ input: [5, 1], target: [6, 1] }], prompt: { length: 2 }, steps: 1_000_000 }
    ${code}
    await t5.dispose()`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exit = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code: exit, output }
}

test('a result that nobody reads is unhandled', async () => {
  expect(await run('t5.tune({ train: [] }); await sleep(200)')).toEqual({ code: 7, output: 'unhandled DATA_EMPTY\n' })
})

test('so it is behind a loop over the events, once', async () => {
  const code = "for await (const event of t5.tune({ train: [] })); console.log('over'); await sleep(200)"
  expect(await run(code)).toEqual({ code: 7, output: 'over\nunhandled DATA_EMPTY\n' })
})

test('and after breaking out of the loop', async () => {
  const code = "const run = t5.tune(good); for await (const event of run) break; run.abort(new Error('stop')); await sleep(200)"
  expect(await run(code)).toEqual({ code: 7, output: 'unhandled stop\n' })
})

test('a result that is read behind the loop is handled, however slow the loop is', async () => {
  const code = `
    const run = t5.tune(good)
    for await (const event of run) { run.abort(new Error('stop')); await sleep(100) }
    try { await run.result } catch (error) { console.log('caught', error.message) }
    await sleep(200)`
  expect(await run(code)).toEqual({ code: 0, output: 'caught stop\n' })
})

test('a loop that runs beside it rejects nothing of its own', async () => {
  const code = `
    const run = t5.tune(good)
    const pump = async () => { for await (const event of run) if (event.type === 'step') run.abort(new Error('stop')) }
    pump()
    await run.result.catch((error) => console.log('caught', error.message))
    await sleep(200)`
  expect(await run(code)).toEqual({ code: 0, output: 'caught stop\n' })
})
