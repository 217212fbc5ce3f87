import { describe, expect, test } from 'vitest'
import type { GenerateOptions, TuneOptions } from '../../src/index.js'
import { checkOptions, integer, nearest, number, oneOf } from '../../src/options/check.js'
import { checkGenerate, resolveGenerate } from '../../src/options/generate.js'
import { resolveTune } from '../../src/options/tune.js'
import { wavyPrompt } from './helpers.js'

const train = [{ input: 'a', target: 'b' }]

describe('checkOptions', () => {
  const checks = { steps: integer(1), rate: number({ above: 0, max: 1 }), mode: oneOf('fast', 'slow') }

  test('keeps what is given and nothing else', () => {
    expect(checkOptions('f', { steps: 3, rate: undefined }, checks)).toEqual({ steps: 3 })
    expect(checkOptions('f', undefined, checks)).toEqual({})
  })

  test.each([
    [{ steps: 0 }, "Option 'steps' is 0, but must be an integer of at least 1."],
    [{ steps: '3' }, 'Option \'steps\' is "3", but must be an integer of at least 1.'],
    [{ rate: 0 }, "Option 'rate' is 0, but must be a finite number above 0 and at most 1."],
    [{ rate: Number.NaN }, "Option 'rate' is NaN"],
    [{ mode: 'fats' }, "must be one of 'fast', 'slow' (did you mean 'fast'?)"],
    [{ stesp: 1 }, "f has no option 'stesp'. Did you mean 'steps'?"],
    [{ zebra: 1 }, "f has no option 'zebra'. Known are: steps, rate, mode."],
    [{ constructor: 1 }, "f has no option 'constructor'."],
    [[], 'f: the options are [], but must be an object.'],
    [null, 'f: the options are null, but must be an object.'],
  ])('%j is refused', (given, message) => {
    expect(() => checkOptions('f', given, checks)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    )
  })

  test('nearest finds slips and no strangers', () => {
    expect(nearest('max_new_tokens', ['maxNewTokens', 'stop'])).toBe('maxNewTokens')
    expect(nearest('beams', ['stop', 'seed'])).toBeUndefined()
  })
})

describe('resolveTune', () => {
  test('defaults', () => {
    const resolved = resolveTune({ train })
    expect(resolved).toMatchObject({
      length: 100,
      init: 'vocabulary',
      steps: 1000,
      batchSize: 32,
      maxInputLength: 512,
      maxTargetLength: 128,
    })
    expect(resolved).toMatchObject({ shuffle: true, preset: 'fast', metrics: ['accuracy'], bestMetric: 'accuracy', resume: false, seed: 0 })
    expect(resolved.evaluateEvery).toBe(100)
  })

  test("'paper' has the paper's settings", () => {
    expect(resolveTune({ train, preset: 'paper' })).toMatchObject({
      length: 100,
      dropout: 0.1,
      loss: { reduction: 'sum', zLoss: 1e-4, labelSmoothing: 0 },
      optimizer: {
        ...{ name: 'adafactor', learningRate: 0.3, weightDecay: 1e-5, schedule: 'constant', warmupSteps: 0, averageDecay: 0 },
        ...{ clipThreshold: 1, decayRate: 0.8, initialStep: 1_100_000, minDimSizeToFactor: 128, epsilon: 1e-30 },
      },
    })
  })

  test.each(['fast', 'paper'] as const)('an explicit optimizer replaces every rule of %s', (preset) => {
    const plain = { schedule: 'constant', warmupSteps: 0, averageDecay: 0, maxGradientNorm: 0, weightDecay: 0, initialStep: 0 }
    expect(resolveTune({ train, preset, optimizer: { name: 'adafactor' } }).optimizer).toMatchObject({
      ...plain,
      learningRate: 0.3,
      epsilon: 1e-30,
    })
    const adamw = resolveTune({ train, preset, optimizer: { name: 'adamw', learningRate: 0.01 } }).optimizer
    expect(adamw).toMatchObject({ ...plain, learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })
    const muon = resolveTune({ train, preset, optimizer: { name: 'muon', learningRate: 0.2, momentum: 0.95 } }).optimizer
    expect(muon).toMatchObject({ ...plain, name: 'muon', learningRate: 0.2, momentum: 0.95 })
  })

  test.each(['fast', 'paper'] as const)('an explicit loss or dropout replaces that of %s', (preset) => {
    expect(resolveTune({ train, preset, loss: {} }).loss).toEqual({ reduction: 'sum', zLoss: 0, labelSmoothing: 0 })
    expect(resolveTune({ train, preset, dropout: 0.25 }).dropout).toBe(0.25)
  })

  test('learningRate changes the rate of the preset and nothing else', () => {
    const { optimizer } = resolveTune({ train })
    expect(resolveTune({ train, learningRate: 0.05 }).optimizer).toEqual({ ...optimizer, learningRate: 0.05 })
  })

  test('a prompt to go on from brings its length', () => {
    const prompt = wavyPrompt(3, 8)
    expect(resolveTune({ train, prompt }).length).toBe(3)
    expect(resolveTune({ train, prompt: { init: { prompt } } }).length).toBe(3)
    expect(resolveTune({ train, prompt: { init: { prompt }, length: 5 } }).length).toBe(5)
  })

  test.each<[string, unknown]>([
    ["'train' is missing", {}],
    ["'steps'", { train, steps: 0 }],
    ["'optimizer.name'", { train, optimizer: { name: 'sgd' } }],
    ["no option 'optimizer.beta1'", { train, optimizer: { name: 'adafactor', beta1: 0.9 } }],
    ["no option 'optimizer.epsilon'", { train, optimizer: { name: 'muon', epsilon: 1e-8 } }],
    ["'optimizer.momentum'", { train, optimizer: { name: 'muon', momentum: 1 } }],
    ["'optimizer.averageDecay'", { train, optimizer: { name: 'adamw', averageDecay: 1 } }],
    ["'optimizer.maxGradientNorm'", { train, optimizer: { name: 'adafactor', maxGradientNorm: Number.NaN } }],
    ["'train' and 'validation' are both standard input", { train: '-', validation: { path: '-', format: 'csv' } }],
    ["'loss.reduction'", { train, loss: { reduction: 'none' } }],
    ["'dropout'", { train, dropout: 1 }],
    ["'prompt.init'", { train, prompt: { init: 'zeros' } }],
    ["'prompt.init.labels'", { train, prompt: { init: { labels: [] } } }],
    ["'prompt.length'", { train, prompt: { length: 1.5 } }],
    ["'bestMetric'", { train, validation: train, bestMetric: 'f1' }],
    ["'patience' needs validation", { train, patience: 3 }],
    ["'resume' needs 'checkpoint'", { train, resume: true }],
    ["'checkpoint.path'", { train, checkpoint: { every: 3 } }],
    ["'optimizer' and 'learningRate'", { train, learningRate: 1, optimizer: { name: 'adamw' } }],
    ["'seed'", { train, seed: -1 }],
    ["'signal'", { train, signal: {} }],
    ["Did you mean 'batchSize'?", { train, batch_size: 8 }],
  ])('%s', (message, options) => {
    const error = expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) })
    expect(() => resolveTune(options as TuneOptions)).toThrow(error)
  })
})

describe('options of generate', () => {
  test("a row's own win over the call's, which win over the defaults", () => {
    const prompt = wavyPrompt(1, 8)
    const ofCall = checkGenerate('generate', { maxNewTokens: 5, prompt })
    expect(resolveGenerate(ofCall, checkGenerate('generate', { prompt: null }))).toMatchObject({ maxNewTokens: 5, prompt: null })
    expect(resolveGenerate({})).toEqual({
      prompt: null,
      maxNewTokens: 128,
      minNewTokens: 0,
      numBeams: 1,
      lengthPenalty: 1,
      earlyStopping: false,
      numReturnSequences: 1,
      doSample: false,
      temperature: 1,
      topK: 0,
      topP: 1,
      seed: 0,
      place: 0,
      repetitionPenalty: 1,
      noRepeatNgramSize: 0,
      badWords: undefined,
      labels: undefined,
      stop: [],
      signal: undefined,
    })
  })

  test('a row draws by its place, or by a seed of its own', () => {
    expect(resolveGenerate({ seed: 4 }, {}, 7)).toMatchObject({ seed: 4, place: 7 })
    expect(resolveGenerate({ seed: 4 }, { seed: 5 }, 7)).toMatchObject({ seed: 5, place: 0 })
  })

  test.each<[string, GenerateOptions]>([
    ['maxNewTokens', { maxNewTokens: 0 }],
    ['minNewTokens', { minNewTokens: -1 }],
    ['numBeams', { numBeams: 0 }],
    ['numBeams', { numBeams: 1.5 }],
    ['lengthPenalty', { lengthPenalty: Number.NaN }],
    ['earlyStopping', { earlyStopping: 'always' as never }],
    ['temperature', { temperature: 0 }],
    ['temperature', { temperature: -1 }],
    ['topK', { topK: -1 }],
    ['topP', { topP: 2 }],
    ['topP', { topP: 0 }],
    ['seed', { seed: -1 }],
    ['repetitionPenalty', { repetitionPenalty: 0 }],
    ['noRepeatNgramSize', { noRepeatNgramSize: -2 }],
    ['badWords[1]', { badWords: ['a', ''] }],
    ['badWords', { badWords: 'a' as never }],
    ['labels', { labels: [] }],
    ['labels[0]', { labels: [[]] }],
    ['labels[0]', { labels: [{}] as never }],
    ['stop[0]', { stop: [''] }],
    ['prompt', { prompt: 'p.safetensors' as never }],
  ])("'%s': %j is refused", (name, options) => {
    const error = expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(`'${name}'`) })
    expect(() => checkGenerate('generate', options)).toThrow(error)
  })

  test.each<[string, string, GenerateOptions]>([
    ['OPTION_INVALID', 'at most numBeams (2)', { numBeams: 2, numReturnSequences: 3 }],
    ['OPTION_INVALID', 'unless doSample is true', { numReturnSequences: 2 }],
    ['OPTION_UNSUPPORTED', 'do not go together', { numBeams: 2, doSample: true }],
    ['OPTION_INVALID', "'labels'", { labels: ['a', 'b'], stop: ['x'] }],
    ['OPTION_INVALID', 'the number of labels (2)', { labels: ['a', 'b'], numBeams: 4, numReturnSequences: 3 }],
  ])('%s: %s', (code, message, options) => {
    expect(() => resolveGenerate(checkGenerate('generate', options))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })

  test('an empty list of bad words or stop texts is none', () => {
    expect(resolveGenerate(checkGenerate('generate', { badWords: [], stop: [] }))).toMatchObject({ badWords: [], stop: [] })
  })

  test('minNewTokens may not exceed maxNewTokens', () => {
    expect(() => resolveGenerate({ minNewTokens: 9, maxNewTokens: 8 })).toThrow(/minNewTokens.*at most maxNewTokens \(8\)/)
  })
})
