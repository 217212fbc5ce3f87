import { expect, it } from 'vitest'
import { showProgress } from '../../src/libtorch/progress.js'

function show(isTTY: boolean): string {
  let text = ''
  let time = 0
  const event = showProgress({ isTTY, write: (more) => (text += more) }, () => time)
  event({ status: 'source', from: 'http://host/file.zip' })
  for (let loaded = 0; loaded <= 100e6; loaded += 1e6) {
    event({ status: 'download', loaded, total: 100e6 })
    time += 50
  }
  event({ status: 'unavailable', from: 'http://host/file.zip', reason: 'gone' })
  return text
}

it('writes a plain line now and then where there is no terminal', () => {
  const lines = show(false).split('\n')
  expect(lines[0]).toBe('softprompt: LibTorch from http://host/file.zip')
  expect(lines).toContain('softprompt: downloading LibTorch 50 %, 50.0 of 100.0 MB, 20.0 MB/s')
  expect(lines.length).toBeLessThan(30)
  expect(lines.join()).not.toContain('\r')
})

it('rewrites one line on a terminal', () => {
  const text = show(true)
  expect(text).toContain('\r\x1b[2Ksoftprompt: downloading LibTorch 50 %, 50.0 of 100.0 MB, 20.0 MB/s')
  expect(text.split('\n')).toHaveLength(4)
})
