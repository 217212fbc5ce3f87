import type { T5Config } from './config.js'
import { type CreateOptions, createModel, type NewConfig } from './create.js'
import type { Example } from './dataset.js'
import { type CallSite, captureCall, errorFromNative, ModelError } from './errors.js'
import { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.js'
import { type ExplainOptions, type Explanation, explain } from './explain.js'
import type { Frozen, Loaded } from './frozen.js'
import { type Generated, type Generation, generate } from './generate.js'
import { type Gradient, type GradientOptions, gradient } from './gradient.js'
import { type Call, finish, forCall } from './job.js'
import { type LoadOptions, loadFrozen } from './load.js'
import type { Dtype } from './native.js'
import { type AdaptOptions, resolveAdapt } from './options/adapt.js'
import { type FinetuneOptions, resolveFinetune } from './options/finetune.js'
import type { GenerateOptions } from './options/generate.js'
import type { ResolvedTraining } from './options/training.js'
import { resolveTune, type TuneOptions } from './options/tune.js'
import type { SoftPrompt } from './prompt.js'
import type { Query } from './query.js'
import { type SaveOptions, saveModel } from './save.js'
import {
  type Classification,
  type ClassifyInput,
  type ClassifyOptions,
  classify,
  type Score,
  type ScoreOptions,
  type ScoreRow,
  score,
} from './score.js'
import { type Piece, stream } from './stream.js'
import type { Tokenizer } from './tokenizer/index.js'
import { AdaptCourse } from './train/adapt.js'
import type { Course } from './train/course.js'
import type { TrainEvent } from './train/events.js'
import { FinetuneCourse } from './train/finetune.js'
import type { TrainReport } from './train/report.js'
import { AdaptRun, FinetuneRun } from './train/runs.js'
import { startTraining } from './train/start.js'
import { TuneRun } from './tune/run.js'
import { TuneSession } from './tune/session.js'

/** Facts about a loaded model. */
export interface ModelInfo {
  /** Where it was loaded from; empty for one that was made or trained in this process. */
  path: string
  /** Numbers in all weights; a matrix that is used twice counts once. */
  parameterCount: number
  /** Of the weights as they are held. */
  bytes: number
  /** Threads of its computations. */
  threads: number
}

/**
 * A frozen T5. It is loaded once and serves any number of prompts; no call changes it. Its work runs on a native thread of its own, where requests are merged
 * into batches and slip in between the steps of a tuning run.
 *
 * After `dispose` every call rejects with MODEL_DISPOSED.
 */
export class T5 {
  readonly #model: Loaded
  #disposal: Promise<void> | undefined

  private constructor(model: Loaded) {
    this.#model = model
  }

  /**
   * Loads a model from a Hugging Face folder, a .pt of `convert`, or a hub id ('google/t5-base-lm-adapt') in the local cache.
   *
   * Rejects with `MODEL_*`, `CONFIG_*`, `SAFETENSORS_*`, `TORCHSCRIPT_*`, `TOKENIZER_*`, DEVICE_UNAVAILABLE, `LIBTORCH_*` or OPTION_INVALID.
   *
   * @example
   * const t5 = await T5.load('models/nano-t5', { device: 'auto' })
   */
  static async load(source: string, options?: LoadOptions): Promise<T5> {
    const site = captureCall(T5.load)
    return forCall(site, async () => new T5(await loadFrozen(source, options, site)))
  }

  /**
   * A new model with random weights, initialised as T5 is (Raffel et al. 2020): from the fields of a config.json, or the path of one. It has learned nothing;
   * `adapt` trains it.
   *
   * Rejects with `CONFIG_*`, `TOKENIZER_*`, FILE_NOT_FOUND, DEVICE_UNAVAILABLE, `LIBTORCH_*` or OPTION_INVALID.
   *
   * @example
   * const config = { vocab_size: 32128, d_model: 256, d_ff: 512, num_layers: 2, num_heads: 4 }
   * const t5 = await T5.create(config, { tokenizer: 'models/nano-t5', seed: 0 })
   */
  static async create(config: NewConfig | string, options?: CreateOptions): Promise<T5> {
    const site = captureCall(T5.create)
    return forCall(site, async () => new T5(await createModel(config, options, site)))
  }

  /** 'cpu' or 'cuda:N'. */
  get device(): string {
    return this.#model.native.info.device
  }

  /** What the weights are held in. */
  get dtype(): Dtype {
    return this.#model.native.info.dtype
  }

  /** Null for a model that has none; token ids must then be given instead of text. */
  get tokenizer(): Tokenizer | null {
    return this.#model.tokenizer
  }

  /** The model's config.json, with defaults filled in. */
  get config(): T5Config {
    return this.#model.config
  }

  /** Of the weights' values and the config that matters: the same for every file format of one checkpoint. */
  get fingerprint(): string {
    return this.#model.fingerprint
  }

  /** Where it is from, and how large it is. */
  get info(): ModelInfo {
    const { parameterCount, bytes, threads } = this.#model.native.info
    return { path: this.#model.path, parameterCount, bytes, threads }
  }

  /** Whether `dispose` was called. */
  get disposed(): boolean {
    return this.#disposal !== undefined
  }

  /**
   * Tunes a soft prompt on examples (Lester et al. 2021); the model stays as it is. Returns at once: iterate over the run for its events, await its `result`.
   *
   * `result` rejects with `OPTION_*`, `DATA_*`, `PROMPT_*`, `TOKENIZER_*`, TUNE_DIVERGED, TUNE_MEMORY, `CHECKPOINT_*`, `FILE_*`, MODEL_DISPOSED, or the
   * signal's reason; its `partial` has what was learned until then.
   *
   * @example
   * const run = t5.tune({ train: 'reviews.jsonl', validation: 'reviews.dev.jsonl', prompt: { length: 20 }, steps: 500 })
   * for await (const event of run) if (event.type === 'step') console.log(event.step, event.loss)
   * const { prompt, report } = await run.result
   */
  tune(options: TuneOptions): TuneRun {
    const site = captureCall(this.tune)
    return new TuneRun((tell, stop) =>
      forCall(site, async () => {
        const model = this.#use()
        const resolved = resolveTune(options)
        const signal = resolved.signal ? AbortSignal.any([resolved.signal, stop]) : stop
        const session = await TuneSession.open(model, { site, signal }, resolved, tell)
        return session.run()
      }),
    )
  }

  /**
   * Trains all parameters of a copy of the model on examples (model tuning); the model stays as it is. Returns at once: iterate over the run for its events,
   * await its `result`, whose model is a T5 of its own. It rejects as that of `tune` does.
   *
   * @example
   * const run = t5.finetune({ train: 'reviews.jsonl', validation: 'reviews.dev.jsonl', steps: 500 })
   * for await (const event of run) if (event.type === 'evaluation') console.log(event.step, event.metrics)
   * const { model, report } = await run.result
   * await model.save('reviews-t5')
   */
  finetune(options: FinetuneOptions): FinetuneRun {
    const site = captureCall(this.finetune)
    return new FinetuneRun((tell, stop) => this.#train(site, stop, tell, () => resolveFinetune(options), FinetuneCourse.open))
  }

  /**
   * Trains all parameters of a copy of the model on text, without examples: to go on with a sentence (prefix LM, by which Lester et al. 2021 adapt T5 before
   * they tune prompts) or to fill in what was taken out (span corruption, T5's own pre-training, Raffel et al. 2020). The model stays as it is. Returns at once, as
   * `tune` does, and its `result` rejects likewise.
   *
   * @example
   * const run = t5.adapt({ text: 'books.txt', heldOut: 0.02, steps: 2000, windowLength: 128 })
   * for await (const event of run) if (event.type === 'evaluation') console.log(event.step, event.metrics.loss)
   * const { model } = await run.result
   */
  adapt(options: AdaptOptions): AdaptRun {
    const site = captureCall(this.adapt)
    const resolve = (model: Loaded) => resolveAdapt(options, model.isNew)
    return new AdaptRun((tell, stop) => this.#train(site, stop, tell, resolve, AdaptCourse.open))
  }

  /**
   * Writes the model as a Hugging Face folder (config.json, model.safetensors, the tokenizer's files), which `T5.load` and transformers load. It is written
   * beside and renamed; a folder of that name is replaced if it holds a model's files alone.
   *
   * Rejects with FILE_NOT_WRITABLE, FILE_WRITE or OPTION_INVALID.
   */
  save(folder: string, options?: SaveOptions): Promise<void> {
    const site = captureCall(this.save)
    return forCall(site, () => saveModel(this.#use(), { site }, folder, options))
  }

  /**
   * Makes an output for each query: greedily, by beam search (`numBeams`) or by sampling (`doSample`). One query in, one generation out; an array of queries
   * gives an array, in its order, decoded in shared batches whatever prompts and options the rows have. With `numReturnSequences` above 1 the result is always
   * an array, and each query's outputs stand together in it, the best first. What a row gets does not depend on the others.
   *
   * Rejects with `OPTION_*`, `PROMPT_*`, TOKEN_OUT_OF_RANGE, TOKENIZER_MISSING, DATA_ROW_INVALID, MODEL_NOT_FINITE, MODEL_DISPOSED, or the signal's reason.
   *
   * @example
   * await t5.generate('a warm, funny, engaging film', { prompt })
   * await t5.generate([{ input: 'a', prompt: reviews }, { input: 'b', prompt: intents }], { maxNewTokens: 8 })
   * const [best, second] = await t5.generate('a', { numBeams: 4, numReturnSequences: 2 })
   */
  generate(many: readonly Query[], options?: GenerateOptions): Promise<Generation[]>
  generate<const Q extends Query, const O extends GenerateOptions>(one: Q, options?: O): Promise<Generated<Q, O>>
  generate(queries: Query | readonly Query[], options?: GenerateOptions): Promise<Generation | Generation[]> {
    return this.#call(this.generate, (model, call) => generate(model, call, queries, options))
  }

  /**
   * The output of one query, token by token. Nothing starts before the first read; breaking out of the loop cancels the rest. With `numBeams` above 1 the
   * output is known only at its end, and all pieces come then.
   *
   * Reading rejects as `generate` does.
   *
   * @example
   * for await (const { text } of t5.stream('play some jazz', { prompt })) process.stdout.write(text)
   */
  stream(query: Query, options?: GenerateOptions): AsyncGenerator<Piece, void, undefined> {
    const site = captureCall(this.stream)
    const use = () => this.#use()
    return (async function* () {
      yield* stream(use(), { site }, query, options)
    })()
  }

  /**
   * Log Pr(target | [P; input]) of given targets, and of each of their tokens, in nats. One row in, one score out; an array of rows gives an array.
   *
   * Rejects with OPTION_INVALID, `DATA_*`, `PROMPT_*`, TOKEN_OUT_OF_RANGE, TOKENIZER_MISSING, MODEL_DISPOSED, or the signal's reason.
   *
   * @example
   * const { logProb } = await t5.score({ input: 'will it rain', target: 'weather', prompt })
   */
  score(rows: readonly ScoreRow[], options?: ScoreOptions): Promise<Score[]>
  score(row: ScoreRow, options?: ScoreOptions): Promise<Score>
  score(rows: ScoreRow | readonly ScoreRow[], options?: ScoreOptions): Promise<Score | Score[]> {
    return this.#call(this.score, (model, call) => score(model, call, rows, options))
  }

  /**
   * Rank classification (as in Raffel et al. 2020): the label that is the likeliest output. One pass through the encoder serves all labels. One input in, one
   * classification out; an array of inputs gives an array.
   *
   * Rejects as `score` does.
   *
   * @example
   * const { label, probabilities } = await t5.classify('will it rain', { labels: ['music', 'weather'], prompt })
   */
  classify(inputs: readonly ClassifyInput[], options: ClassifyOptions): Promise<Classification[]>
  classify(input: ClassifyInput, options: ClassifyOptions): Promise<Classification>
  classify(inputs: ClassifyInput | readonly ClassifyInput[], options: ClassifyOptions): Promise<Classification | Classification[]> {
    return this.#call(this.classify, (model, call) => classify(model, call, inputs, options))
  }

  /**
   * The loss of examples, all as one batch and without dropout, and its gradient in the prompt: `[rows, dModel]`, row-major. For rules of your own.
   *
   * Rejects with `OPTION_*`, `DATA_*`, `PROMPT_*`, `TOKENIZER_*`, MODEL_DISPOSED, or the signal's reason.
   *
   * @example
   * const { loss, gradient } = await t5.gradient(train, { prompt })
   */
  gradient(examples: readonly Example[], options: GradientOptions): Promise<Gradient> {
    return this.#call(this.gradient, (model, call) => gradient(model, call, examples, options))
  }

  /**
   * Metrics on a data set: of the greedy outputs or, with `labels`, of the likeliest labels.
   *
   * Rejects with OPTION_INVALID, `DATA_*`, FILE_READ, `PROMPT_*`, `TOKENIZER_*`, MODEL_DISPOSED, or the signal's reason.
   *
   * @example
   * const { metrics } = await t5.evaluate({ data: 'test.jsonl', prompt, metrics: ['accuracy', 'macroF1'] })
   */
  evaluate(options: EvaluateOptions): Promise<Evaluation> {
    return this.#call(this.evaluate, (model, call) => evaluate(model, call, options))
  }

  /**
   * What a prompt's rows resemble (the nearest tokens of the vocabulary), their norms, how far they moved from where they started or from another prompt, and,
   * on examples, how much likelier each row makes the targets. See also `prompt.explain`.
   *
   * Rejects with PROMPT_MODEL, PROMPT_WIDTH or OPTION_INVALID.
   *
   * @example
   * const { rows } = await t5.explain(prompt, { nearest: 3 })
   * for (const { nearest, norm } of rows) console.log(norm, nearest.map(({ token }) => token))
   */
  explain(prompt: SoftPrompt, options?: ExplainOptions): Promise<Explanation> {
    return this.#call(this.explain, (model, call) => explain(model, call, prompt, options))
  }

  /** Sha256 over every frozen tensor as it is held, in hex: the same before and after tuning. Rejects with MODEL_DISPOSED. */
  digest(): Promise<string> {
    return this.#call(this.digest, (model, call) => finish(call, () => model.native.digest()))
  }

  /** Stops what is running (MODEL_DISPOSED), frees the weights, and resolves when that is done. Later calls do nothing more. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#model.native.dispose().catch((error) => {
      throw errorFromNative(error)
    })
    return this.#disposal
  }

  /** `await using` calls it: the same as `dispose`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  #call<T>(method: (...args: never[]) => unknown, work: (model: Frozen, call: Call) => Promise<T>): Promise<T> {
    const site = captureCall(method)
    return forCall(site, () => work(this.#use(), { site }))
  }

  #train<Options extends ResolvedTraining, Data>(
    site: CallSite,
    stop: AbortSignal,
    tell: (event: TrainEvent<Data>) => void,
    resolve: (model: Loaded) => Options,
    open: (model: Frozen, options: Options, signal: AbortSignal) => Promise<Course<Data>>,
  ): Promise<{ model: T5; report: TrainReport<Data> }> {
    return forCall(site, async () => {
      const base = this.#use()
      return startTraining({ base, site, stop, tell }, resolve(base), open, ({ model, report }) => ({
        model: new T5({ ...base, ...model, path: '', isNew: false }),
        report,
      }))
    })
  }

  #use(): Loaded {
    if (this.disposed) throw new ModelError('MODEL_DISPOSED', `The model ${this.#model.name} was disposed of. Load it again with T5.load.`)
    return this.#model
  }
}
