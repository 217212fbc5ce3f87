import { OptionError, TuneError } from '../errors.js'
import type { Frozen } from '../frozen.js'
import { finish } from '../job.js'
import { type Mixture, makeExample, sentinelsNeeded, windowTokens } from '../objectives/objective.js'
import { spansWindow } from '../objectives/span-corruption.js'
import type { ResolvedAdapt } from '../options/adapt.js'
import { CounterRandom, Purpose } from '../random.js'
import { tokenRows } from '../rows.js'
import { type Corpus, readWindows, StreamedCorpus, WholeCorpus } from '../text/corpus.js'
import { type ResolvedText, resolveText } from '../text/source.js'
import { type TextPart, type TextSummary, textWarnings } from '../text/summary.js'
import type { Batch, Course, Learner, Measured } from './course.js'

/** Validation windows become the same examples at each evaluation: those of an epoch that no training reaches. */
const VALIDATION_EPOCH = 2 ** 20

/** Windows of text as examples of an objective, and the loss on windows that are held out. */
export class AdaptCourse implements Course<TextSummary> {
  readonly ranking = { bestMetric: 'loss', higherIsBetter: false }

  private constructor(
    private readonly options: ResolvedAdapt,
    private readonly mixture: Mixture,
    private readonly corpus: Corpus,
    private readonly validation: { windows: Int32Array[]; part: TextPart } | undefined,
  ) {}

  /** Reads the text, or what is to be held in memory of it. */
  static async open(model: Frozen, options: ResolvedAdapt, signal: AbortSignal): Promise<AdaptCourse> {
    const mixture = mixtureOf(model, options)
    const { eosTokenId, vocabSize } = model.config
    const pack = { tokenizer: model.tokenizer, eosTokenId, vocabSize, length: windowTokens(options, options.windowLength), signal }
    const source = await resolveText(options.text)
    const apart = options.validation && (await readWindows(await resolveText(options.validation), pack, 'validation'))
    const given = apart && { windows: apart.windows, part: { ...apart.counts, windows: apart.windows.length } }
    if (!source.whole) {
      if (options.heldOut !== undefined) throw cannotHoldOut(source)
      return new AdaptCourse(options, mixture, new StreamedCorpus(source, { ...options, ...pack }), given)
    }
    const { windows, counts } = await readWindows(source, pack, 'training')
    const { kept, drawn } = options.heldOut === undefined ? { kept: windows, drawn: undefined } : split(windows, options)
    const held = drawn && { windows: drawn, part: { ...shareOf(counts, drawn.length / windows.length), windows: drawn.length } }
    return new AdaptCourse(options, mixture, new WholeCorpus(kept, counts, options), given ?? held)
  }

  get data(): TextSummary {
    const { shares, windowLength } = this.options
    const { counts, size } = this.corpus
    return {
      ...{ objective: shares, windowLength, windowTokens: windowTokens(this.options, windowLength) },
      ...{ train: { ...counts, windows: size ?? null }, validation: this.validation?.part ?? null, warnings: textWarnings(counts) },
    }
  }

  get settings() {
    const { shares, windowLength, heldOut, preset, spans } = this.options
    return { objective: shares, windowLength, preset, ...(shares['span-corruption'] > 0 && { spans }), ...(heldOut && { heldOut }) }
  }

  async next(): Promise<Batch | undefined> {
    const windows = await this.corpus.take(this.options.batchSize)
    if (windows.length < this.options.batchSize) return undefined
    const examples = windows.map(({ tokens, epoch, index }) => makeExample(this.mixture, tokens, epoch, index))
    return { inputs: examples.map(({ input }) => input), targets: examples.map(({ target }) => target), digest: this.corpus.digest() }
  }

  async skip(steps: number): Promise<string> {
    for (let step = 0; step < steps; step++) await this.corpus.take(this.options.batchSize)
    return this.corpus.digest()
  }

  close(): void {
    this.corpus.close?.()
  }

  get measure() {
    const { validation } = this
    return validation && ((learner: Learner) => this.#measure(learner, validation.windows))
  }

  /** Nats a target token, over all validation windows. */
  async #measure({ trainer, call }: Learner, windows: readonly Int32Array[]): Promise<Measured> {
    const { batchSize } = this.options
    let nats = 0
    let tokens = 0
    for (let start = 0; start < windows.length; start += batchSize) {
      const rows = windows.slice(start, start + batchSize)
      const examples = rows.map((window, i) => makeExample(this.mixture, window, VALIDATION_EPOCH, start + i))
      const [inputs, targets] = [tokenRows(examples.map(({ input }) => input)), tokenRows(examples.map(({ target }) => target))]
      const { negativeLogProb, targetTokens } = await finish(call, () => trainer.loss(inputs, targets))
      nats += negativeLogProb
      tokens += targetTokens
    }
    const loss = nats / tokens
    if (!Number.isFinite(loss)) throw new TuneError('TUNE_DIVERGED', `The validation loss is ${loss}. Try a tenth of the learning rate.`)
    return { metrics: { loss, perplexity: Math.exp(loss) }, outcome: null }
  }
}

function mixtureOf({ tokenizer, config, name }: Frozen, options: ResolvedAdapt): Mixture {
  const { shares, spans, seed, windowLength } = options
  const needed = sentinelsNeeded(options, windowTokens(options, windowLength))
  const sentinels = options.sentinels ?? named(needed, (piece) => tokenizer?.pieceToId(piece))
  if (sentinels.length < needed) {
    const { window } = spansWindow(windowLength, spans)
    throw new OptionError(
      'OPTION_INVALID',
      `Span corruption of ${window} tokens needs ${needed} sentinels, but ${options.sentinels ? "option 'sentinels'" : `the tokenizer of ${name}`} has ${sentinels.length}. Give a smaller windowLength, longer spans, or 'sentinels'.`,
    )
  }
  const outside = sentinels.find((id) => id >= config.vocabSize)
  if (outside !== undefined)
    throw new OptionError('OPTION_INVALID', `The sentinel's id ${outside} is beyond the model's vocabulary of ${config.vocabSize}.`)
  return { shares, spans, sentinels, eosTokenId: config.eosTokenId, seed }
}

/** The ids of `<extra_id_0>`, `<extra_id_1>` ..., as far as there are any. */
function named(count: number, idOf: (piece: string) => number | undefined): number[] {
  const ids: number[] = []
  for (let i = 0; i < count; i++) {
    const id = idOf(`<extra_id_${i}>`)
    if (id === undefined) break
    ids.push(id)
  }
  return ids
}

function split(windows: readonly Int32Array[], { heldOut = 0, seed }: ResolvedAdapt): { kept: Int32Array[]; drawn: Int32Array[] } {
  const count = Math.max(1, Math.round(windows.length * heldOut))
  if (count >= windows.length)
    throw new OptionError(
      'OPTION_INVALID',
      `Option 'heldOut' ${heldOut} of ${windows.length} window${windows.length === 1 ? '' : 's'} leaves nothing to train on. Give more text, a smaller windowLength, or 'validation'.`,
    )
  const chosen = new Set(new CounterRandom(seed, Purpose.heldOut).permutation(windows.length).subarray(0, count))
  return { kept: windows.filter((_, i) => !chosen.has(i)), drawn: windows.filter((_, i) => chosen.has(i)) }
}

/** Of windows drawn from a text; documents and tokens are not counted for them alone. */
function shareOf(counts: { documents: number; tokens: number; unknownTokens: number }, share: number) {
  const part = (count: number) => Math.round(count * share)
  return { documents: part(counts.documents), tokens: part(counts.tokens), unknownTokens: part(counts.unknownTokens) }
}

function cannotHoldOut({ rows }: ResolvedText): OptionError {
  const what = rows ? 'an iterable' : 'standard input, or files too large to be held in memory'
  return new OptionError(
    'OPTION_INVALID',
    `Option 'heldOut' needs text that is held in memory, but it is ${what}. Give 'validation' instead.`,
  )
}
