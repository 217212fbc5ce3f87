// One frozen model that serves every prompt of a folder: see README.md.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import Fastify from 'fastify'
import { T5 } from 'softprompt'
import { Prompts } from './prompts.mjs'

const { MODEL = '../../models/nano-t5', PROMPTS = 'prompts', PORT = '3000', HOST = '127.0.0.1' } = process.env

const body = (properties, required) => ({ schema: { body: { type: 'object', properties, required, additionalProperties: false } } })
const input = { type: 'string', minLength: 1, maxLength: 20_000 }
const maxNewTokens = { type: 'integer', minimum: 1, maximum: 1024 }

export async function build({ model = MODEL, folder = PROMPTS, logger = true } = {}) {
  // A connection that falls idle while the server ends would hold it up for as long as it is kept alive.
  const app = Fastify({ logger, forceCloseConnections: 'idle', keepAliveTimeout: 2_000 })
  const t5 = await T5.load(model)
  const prompts = await Prompts.open(folder, app.log)

  // close() waits for the answers under way first.
  app.addHook('onClose', async () => {
    prompts.close()
    await t5.dispose()
  })

  /** Stops the work for a client that hung up. */
  function whileConnected(reply) {
    const gone = new AbortController()
    reply.raw.once('close', () => reply.raw.writableFinished || gone.abort())
    return gone.signal
  }

  function promptOf(request, reply) {
    const prompt = prompts.get(request.params.prompt)
    if (!prompt) reply.code(404).send({ error: `no prompt ${request.params.prompt}; there are: ${prompts.names.join(', ') || 'none'}` })
    return prompt
  }

  app.get('/prompts', () => prompts.names)

  app.post('/generate/:prompt', body({ input, maxNewTokens }, ['input']), async (request, reply) => {
    const prompt = promptOf(request, reply)
    if (!prompt) return reply
    const { input, maxNewTokens = 64 } = request.body
    const { text, logProb, finishReason } = await t5.generate(input, { prompt, maxNewTokens, signal: whileConnected(reply) })
    return { text, logProb, finishReason }
  })

  app.post('/stream/:prompt', body({ input, maxNewTokens }, ['input']), async (request, reply) => {
    const prompt = promptOf(request, reply)
    if (!prompt) return reply
    const { input, maxNewTokens = 64 } = request.body
    const pieces = t5.stream(input, { prompt, maxNewTokens, signal: whileConnected(reply) })
    const texts = async function* () {
      for await (const { text } of pieces) if (text) yield text
    }
    return reply.type('text/plain; charset=utf-8').send(Readable.from(texts()))
  })

  const labels = { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 1000 }
  app.post('/classify/:prompt', body({ input, labels }, ['input', 'labels']), async (request, reply) => {
    const prompt = promptOf(request, reply)
    if (!prompt) return reply
    const [{ label, probabilities }] = await t5.classify([request.body.input], { labels: request.body.labels, prompt })
    return { label, probabilities: [...probabilities] }
  })
  return app
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const app = await build()
  await app.listen({ port: Number(PORT), host: HOST })
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  await app.close()
}
