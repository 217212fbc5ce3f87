import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Contender } from './contender.mjs'

const script = (name) => fileURLToPath(new URL(`contenders/${name}`, import.meta.url))
const ONNX = { node: 'onnxruntime-node@1.30.0', python: ['onnx==1.23.1', 'onnxruntime==1.30.0', 'onnxscript==0.7.2'] }
/** What those of Python need beside what torch brings along. */
const ONNX_NEEDS = ['onnx-ir==1.0.0', 'ml_dtypes==0.6.0', 'protobuf==7.36.2', 'flatbuffers==25.12.19']

/** Whom softprompt is compared with: dtypes of Hugging Face, the same compiled, one label a pass (classify), onnxruntime-node. */
export const PEERS = ['float32', 'bfloat16', 'compiled-float32', 'compiled-bfloat16', 'each-float32', 'onnx-float32', 'onnx-int8']

/** The contender to whom ratios are taken. */
export const BASELINE = 'Hugging Face float32'

export function pythonPeer(python, folder, dtype, threads, ...more) {
  return new Contender(python, [script('huggingface.py'), folder, dtype, threads, ...more], { TOKENIZERS_PARALLELISM: 'false' })
}

/** softprompt's process; with `profile` under Linux's perf, whose samples then lie in `work`. */
export function ours(folder, dtype, threads, { profile, work } = {}) {
  const command = [process.execPath, script('softprompt.mjs'), folder, dtype, threads]
  if (!profile) return new Contender(command[0], command.slice(1))
  const samples = join(work, 'profiles', `${basename(folder)}-${dtype}-${threads}-${Date.now()}.data`)
  mkdirSync(dirname(samples), { recursive: true })
  process.stderr.write(`profiling: perf report --no-children -i ${samples}\n`)
  return new Contender('perf', ['record', '-F', 499, '-g', '-o', samples, '--', ...command])
}

/**
 * All who take part: softprompt in each dtype (`training`: that has gradients), then those of `peers` that were asked for. Each is { name, dtype, start }, start giving its process.
 * `folder` is the model's.
 */
export function contenders({ peers, training }, { folder, threads, options }) {
  const dtypes = training ? options.trainingDtypes : options.dtypes
  const own = dtypes.map((dtype) => ({ name: `softprompt ${dtype}`, dtype, start: () => ours(folder, dtype, threads, options) }))
  return [
    ...own,
    ...wanted(peers, options).map((peer) =>
      PEER_KINDS[peer.split('-').at(-2) ?? 'plain'](peer.split('-').at(-1), folder, threads, options),
    ),
  ]
}

const PEER_KINDS = {
  plain: (dtype, folder, threads, { peerPython }) => ({
    name: `Hugging Face ${dtype}`,
    dtype,
    start: () => pythonPeer(peerPython, folder, dtype, threads),
  }),
  compiled: (dtype, folder, threads, { peerPython }) => ({
    name: `Hugging Face ${dtype}, compiled`,
    dtype,
    start: () => pythonPeer(peerPython, folder, dtype, threads, '--compile'),
  }),
  each: (dtype, folder, threads, { peerPython }) => ({
    name: `Hugging Face ${dtype}, a pass a label`,
    dtype,
    adapt: (request) => ({ ...request, body: { ...request.body, each: true } }),
    rounds: 1,
    start: () => pythonPeer(peerPython, folder, dtype, threads),
  }),
  onnx: (dtype, folder, threads, options) => ({
    name: `onnxruntime-node ${dtype}`,
    dtype,
    start: () =>
      new Contender(process.execPath, [
        ...[script('onnx.mjs'), onnxFolder(folder, options), dtype, threads],
        ...[join(folder, 'config.json'), join(options.work, 'node')],
      ]),
  }),
}

function wanted(peers, { peerPython, peers: asked, onnx, quick }) {
  if (!peerPython) return []
  if (asked) return peers.filter((peer) => asked.includes(peer))
  return peers.filter((peer) => (onnx || !peer.startsWith('onnx')) && !(quick && /compiled|each/.test(peer)))
}

const onnxFolder = (folder, { work }) => join(work, 'onnx', basename(folder))

/** Fetches onnxruntime and exports the model, where a case's peers ask for that and it was not done before. */
export async function prepareOnnx(peers, folder, options) {
  if (!wanted(peers, options).some((peer) => peer.startsWith('onnx'))) return
  const run = promisify(execFile)
  const [node, python, out] = [join(options.work, 'node'), join(options.work, 'python'), onnxFolder(folder, options)]
  await once(node, async (beside) => {
    writeFileSync(join(beside, 'package.json'), '{ "private": true }')
    const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' } // no CUDA libraries
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ONNX.node], { cwd: beside, env })
  })
  await once(python, (beside) =>
    run(options.peerPython, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', beside, ...ONNX.python, ...ONNX_NEEDS]),
  )
  await once(out, (beside) =>
    run(options.peerPython, [script('onnx_export.py'), folder, beside], {
      env: { ...process.env, PYTHONPATH: python },
      maxBuffer: 2 ** 26,
    }),
  )
}

/** `make` fills a folder beside, which then gets its name: an attempt that failed leaves nothing that looks done. */
async function once(folder, make) {
  if (existsSync(folder)) return
  process.stderr.write(`making ${folder}\n`)
  const beside = `${folder}.tmp`
  rmSync(beside, { recursive: true, force: true })
  mkdirSync(beside, { recursive: true })
  await make(beside)
  renameSync(beside, folder)
}
