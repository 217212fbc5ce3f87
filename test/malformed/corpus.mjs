// Files that lie: every case says how it is used and which codes may come out; 'ok' where the file is in fact valid. Deterministic.
//
// as: 'model'   bytes or files of a folder beside the tiny model's config.json, for T5.load
//     'pt'      a file for T5.load
//     'prompt'  a file for SoftPrompt.load
//     'inspect' a file for softprompt inspect

import { stateDictCases, torchscriptCases, zipCases } from './archives.mjs'
import { configCases } from './configs.mjs'
import { npyCases, promptCases } from './prompts.mjs'
import { safetensorsCases, shardCases } from './safetensors.mjs'
import { tokenizerCases } from './tokenizers.mjs'

/** `tiny`: { config, weights }, the files of a sound model; `pt`: the same model as convert writes it. */
export function corpus({ config, weights, pt, spiece }) {
  const cases = [
    ...safetensorsCases(weights),
    ...shardCases(weights),
    ...configCases(config),
    ...npyCases(),
    ...promptCases(),
    ...zipCases(weights),
    ...stateDictCases(weights),
    ...torchscriptCases(pt),
    ...tokenizerCases(spiece),
  ]
  const names = new Set(cases.map(({ name }) => name))
  if (names.size !== cases.length) throw new Error('two cases have one name')
  return cases
}
