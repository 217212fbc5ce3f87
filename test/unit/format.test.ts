import { expect, test } from 'vitest'
import { bytes, duration, metricsLine } from '../../src/format.js'

test('numbers as people read them', () => {
  expect([0, 75, 4000, 59.6].map(duration)).toEqual(['0:00', '1:15', '1:06:40', '1:00'])
  expect([999, 15_360, 2_097_152, 3e9].map(bytes)).toEqual(['999 bytes', '15.4 kB', '2.1 MB', '3.0 GB'])
  expect(metricsLine({ accuracy: 0.8125, matthews: -0.5, length: 1234.56 })).toBe('accuracy 81.3 %, matthews -50.0 %, length 1,235')
})
