// What the fuzzer starts from: the small files of test/malformed, sorted by the target that reads them.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { entriesOf, stateDictCases, torchscriptCases, zipCases } from '../malformed/archives.mjs'
import { configCases } from '../malformed/configs.mjs'
import { archive, dictPickle, safetensors, tensorPickle, whole } from '../malformed/formats.mjs'
import { npyCases, promptCases } from '../malformed/prompts.mjs'
import { safetensorsCases, shardCases } from '../malformed/safetensors.mjs'

const LARGEST = 32_768

/** A checkpoint of two small tensors: what is read the same way from 432 KB is read from 400 bytes. */
const small = () => {
  const data = Buffer.from(new Float32Array(12).fill(0.5).buffer)
  const header = {
    'encoder.final_layer_norm.weight': { dtype: 'F32', shape: [6], data_offsets: [0, 24] },
    'encoder.block.0.layer.0.SelfAttention.q.weight': { dtype: 'F32', shape: [2, 3], data_offsets: [24, 48] },
  }
  return safetensors(header, data)
}

/** An archive with the parts of a module. */
function smallModule() {
  const pkl = whole(
    Buffer.concat([Buffer.from('c__torch__\nM\n)\x81', 'latin1'), dictPickle([['w', tensorPickle({ shape: [2, 3] })]]), Buffer.from('b')]),
  )
  const more = ['constants.pkl', 'code/__torch__.py', 'extra/config.json', 'extra/softprompt.json']
  return archive(
    pkl,
    { 0: Buffer.alloc(24) },
    { more: more.map((name) => ({ name: `archive/${name}`, data: name.endsWith('.json') ? Buffer.from('{}') : whole(')') })) },
  )
}

function collect() {
  const weights = small()
  const pt = smallModule()
  const config = readFileSync(new URL('../fixtures/t5-v1.1/config.json', import.meta.url), 'utf8')
  const bytes = (cases) => cases.map((item) => item.bytes).filter(Boolean)
  const filesOf = (cases, name) => cases.map(({ files }) => files?.[name]).filter(Boolean)
  const bins = filesOf([...zipCases(weights), ...stateDictCases(weights)], 'pytorch_model.bin')
  const modules = bytes(torchscriptCases(pt))
  const tensors = [...bytes(safetensorsCases(weights)), ...filesOf(safetensorsCases(weights), 'model.safetensors')]
  const configs = configCases(config).map((item) => item.config)
  const indices = filesOf(shardCases(weights), 'model.safetensors.index.json')
  return {
    safetensors: tensors,
    prompt: [...bytes(npyCases()), ...bytes(promptCases())],
    npy: bytes(npyCases()),
    json: [...configs, ...indices],
    config: configs,
    shard_index: indices,
    pickle: [...bins, ...modules].flatMap(picklesOf),
    state_dict: bins,
    state_dict_pickle: bins.flatMap(picklesOf),
    torchscript: modules,
    torchscript_pickle: modules.flatMap(picklesOf),
  }
}

/** The data.pkl of an archive that is sound enough to have one. */
function picklesOf(file) {
  try {
    return entriesOf(file)
      .filter(({ name }) => name.endsWith('/data.pkl'))
      .map(({ data }) => data)
  } catch {
    return []
  }
}

/** Writes the seeds into `folder`, one subfolder a target; gives the targets' names. */
export function writeSeeds(folder) {
  const seeds = collect()
  for (const [target, files] of Object.entries(seeds)) {
    mkdirSync(join(folder, target), { recursive: true })
    const known = new Set(readdirSync(join(folder, target)))
    files.forEach((bytes, i) => {
      if (bytes.length <= LARGEST && !known.has(`${i}`)) writeFileSync(join(folder, target, `${i}`), bytes)
    })
  }
  return Object.keys(seeds)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${writeSeeds(process.argv[2]).join('\n')}\n`)
