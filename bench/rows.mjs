import { readFile } from 'node:fs/promises'

/** The first `count` rows of a data file as token ids, </s> included, so that a peer gets the very same batches. */
export async function encodedRows(t5, file, count) {
  const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean).slice(0, count)
  const encode = (text) => [...t5.tokenizer.encode(text), t5.config.eosTokenId]
  return lines.map((line) => {
    const { input, target } = JSON.parse(line)
    return { input: encode(input), target: encode(target) }
  })
}
