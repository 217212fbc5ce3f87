import { OptionError } from './errors.js'
import type { Frozen } from './frozen.js'
import { type Generation, generateResolved } from './generate.js'
import { type Call, finish } from './job.js'
import { PromptEnsemble } from './prompt.js'
import { isMany, type ResolvedQuery, resolveQueries } from './query.js'
import { type PromptedRow, promptedRows } from './rows.js'
import { nativeOptions } from './sequences.js'
import { firstStop, heldBack } from './stop.js'

/** One token of an output. The texts of all pieces, joined, are the output's text; a token that adds none (such as `</s>`) has ''. */
export interface Piece {
  /** What the token adds to the output's text; '' while it only holds part of a character. */
  text: string
  /** Its id. */
  token: number
}

/** The output of one query, token by token, as it is made; see `T5.stream`. */
export async function* stream(model: Frozen, call: Call, query: unknown, options: unknown): AsyncGenerator<Piece, void, undefined> {
  if (isMany(query))
    throw new OptionError('OPTION_INVALID', 'stream takes one query; for several, call it once for each (they share batches).')
  const [resolved] = (await resolveQueries(model, 'stream', query, options)) as [ResolvedQuery]
  if (resolved.numReturnSequences > 1)
    throw new OptionError('OPTION_INVALID', "Option 'numReturnSequences': stream makes one output; use generate for several.")
  const { prompt } = resolved
  resolved.signal?.throwIfAborted()

  const leaving = new AbortController()
  const signal = resolved.signal ? AbortSignal.any([resolved.signal, leaving.signal]) : leaving.signal
  const own = { ...call, signal }
  const tokens = prompt instanceof PromptEnsemble ? elected(model, own, resolved) : tokenQueue(model, own, { ...resolved, prompt })
  try {
    yield* pieces(model, tokens, resolved.stop)
  } finally {
    leaving.abort()
  }
}

/** The prompts of an ensemble choose among whole outputs: the tokens come when all have theirs. */
async function* elected(model: Frozen, call: Call, query: ResolvedQuery): AsyncGenerator<number> {
  const [answer] = await generateResolved(model, call, [query])
  yield* (answer as Generation).tokens
}

/** Tokens as the native module makes them; ends with the output, throws what made it fail. */
async function* tokenQueue(model: Frozen, call: Call, query: Omit<ResolvedQuery, 'prompt'> & PromptedRow): AsyncGenerator<number> {
  const waiting: number[] = []
  let wake = () => {}
  let ended = false
  const { options, sequences } = nativeOptions([query])
  const onTokens = (_rows: Int32Array, tokens: Int32Array) => {
    for (const token of tokens) waiting.push(token)
    wake()
  }
  const done = finish(call, () => model.native.generate(promptedRows(model, [query]), options, onTokens, sequences)).finally(() => {
    ended = true
    wake()
  })
  done.catch(() => {}) // thrown below, once what was made before has been read
  while (true) {
    while (waiting.length > 0) {
      call.signal?.throwIfAborted()
      yield waiting.shift() as number
    }
    if (ended) break
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  await done
}

/** Tokens to pieces of text. One whose text is not certain yet (part of a character, or of a stop text) waits for the next. */
async function* pieces(model: Frozen, tokens: AsyncIterable<number>, stops: readonly string[]): AsyncGenerator<Piece, void, undefined> {
  const decoder = model.tokenizer?.createStreamDecoder()
  let text = ''
  let shown = 0
  let held: Piece | undefined
  for await (const token of tokens) {
    if (held) yield held
    text += decoder?.push(token) ?? ''
    const stop = firstStop(text, stops)
    const ready = Math.max(shown, stop >= 0 ? stop : text.length - heldBack(text, stops))
    const piece: Piece = { text: text.slice(shown, ready), token }
    shown = ready
    if (stop >= 0) return yield piece
    held = piece.text === '' || shown < text.length ? piece : undefined
    if (!held) yield piece
  }
  const rest = text.slice(shown) + (decoder?.flush() ?? '')
  if (held) yield { ...held, text: held.text + rest }
}
