import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import {
  captureCall,
  classOfCode,
  DataError,
  ERROR_CODES,
  errorFromNative,
  InternalError,
  ModelError,
  SoftPromptError,
} from '../../src/errors.js'

function* filesUnder(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesUnder(path)
    else yield path
  }
}

describe('SoftPromptError', () => {
  it('carries code, message, cause and its class as name', () => {
    const cause = new Error('disk')
    const error = new DataError('DATA_EMPTY', 'rows.jsonl has no rows', { cause })
    expect(error).toBeInstanceOf(SoftPromptError)
    expect(error).toMatchObject({ name: 'DataError', code: 'DATA_EMPTY', message: 'rows.jsonl has no rows', cause })
    expect(error.stack).toMatch(/^DataError: rows\.jsonl has no rows\n/)
  })

  it('has no cause where none is given', () => {
    expect('cause' in new DataError('DATA_EMPTY', '')).toBe(false)
  })

  it('tells its own classes apart with isInstance', () => {
    const error = new DataError('DATA_EMPTY', '')
    expect(SoftPromptError.isInstance(error)).toBe(true)
    expect(DataError.isInstance(error)).toBe(true)
    expect(ModelError.isInstance(error)).toBe(false)
    expect(DataError.isInstance(new SoftPromptError('DATA_EMPTY', ''))).toBe(false)
    for (const other of [null, undefined, 'DATA_EMPTY', new Error(''), {}]) expect(SoftPromptError.isInstance(other)).toBe(false)
  })

  it('recognises errors of a second copy of the package', async () => {
    vi.resetModules()
    const copy = await import('../../src/errors.js')
    const error = new copy.DataError('DATA_EMPTY', '')
    expect(error).not.toBeInstanceOf(SoftPromptError)
    expect(SoftPromptError.isInstance(error)).toBe(true)
    expect(DataError.isInstance(error)).toBe(true)
    expect(ModelError.isInstance(error)).toBe(false)
  })
})

describe('codes', () => {
  it('each stand for a class', () => {
    for (const code of Object.keys(ERROR_CODES)) {
      if (code !== 'INTERNAL') expect(classOfCode(code), code).not.toBe(InternalError)
    }
  })

  it('list every code that the native module throws', () => {
    const thrown = new Set<string>()
    for (const path of filesUnder('binding')) {
      if (!/\.(cc|h)$/.test(path)) continue
      for (const match of readFileSync(path, 'utf8').matchAll(/"([A-Z]+(?:_[A-Z]+)+)"/g)) {
        const isCode = classOfCode(match[1]!) !== InternalError && match[1] !== 'PROMPT_TUNING' // PEFT's name of a kind of adapter
        if (isCode) thrown.add(match[1]!)
      }
    }
    expect([...thrown].filter((code) => !(code in ERROR_CODES))).toEqual([])
  })
})

describe('docs/errors.md', () => {
  // Run vitest with -u to write the tables anew.
  it('lists every code with its meaning under its class', async () => {
    const introduction = readFileSync('docs/errors.md', 'utf8').split('\n### ')[0]
    const codes = Object.entries(ERROR_CODES)
    const classes = [...new Set(codes.map(([code]) => classOfCode(code).className))]
    const tables = classes.map((name) => {
      const rows = codes.filter(([code]) => classOfCode(code).className === name).map(([code, meaning]) => `| \`${code}\` | ${meaning} |\n`)
      return `\n### ${name}\n| code | meaning |\n|---|---|\n${rows.join('')}`
    })
    await expect(introduction + tables.join('')).toMatchFileSnapshot('../../docs/errors.md')
  })
})

describe('errorFromNative', () => {
  const native = (code: string, message: string) => Object.assign(new Error(message), { code })

  it('makes the class of the code and grafts the stack of the call on', () => {
    function load() {
      return captureCall(load)
    }
    function caller() {
      return load()
    }
    const error = errorFromNative(native('MODEL_TENSOR_MISSING', 'shared.weight is missing'), caller())
    expect(error).toBeInstanceOf(ModelError)
    expect(error.code).toBe('MODEL_TENSOR_MISSING')
    const [head, frame] = error.stack!.split('\n')
    expect(head).toBe('ModelError: shared.weight is missing')
    expect(frame).toMatch(/at caller /)
  })

  it('keeps what it does not know as the cause of an InternalError', () => {
    const strange = native('ERR_NAPI_CONS_FUNCTION', 'boom')
    expect(errorFromNative(strange)).toMatchObject({ name: 'InternalError', code: 'INTERNAL', message: 'boom', cause: strange })
    expect(errorFromNative('thrown text')).toMatchObject({ code: 'INTERNAL', message: 'thrown text' })
    expect(errorFromNative(undefined)).toMatchObject({ code: 'INTERNAL', message: 'undefined' })
  })

  it('lets errors of the package through', () => {
    const error = new DataError('DATA_EMPTY', '')
    expect(errorFromNative(error)).toBe(error)
  })
})
