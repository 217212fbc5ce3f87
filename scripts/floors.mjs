// The house has floors (CONTRIBUTING.md): src/ -> binding/addon -> binding/core. This checks that no include points upwards or sideways.
import { existsSync, readFileSync } from 'node:fs'
import { fail, filesUnder, root } from './shared.mjs'

const rules = [
  { folder: 'binding/core', never: /napi|node_api|uv\.h|v8|addon\//, why: 'core knows LibTorch only' },
  {
    folder: 'binding/core',
    never: /^(torch\/(all|torch|script|extension)\.h|ATen\/(ATen|Functions)\.h)$/,
    why: 'it takes seconds to compile: include what is used (ATen/ops/linear.h)',
  },
  { folder: 'binding/addon', never: /^(ATen\/ops\/|ATen\/ATen\.h|torch\/)/, why: 'the addon has no tensor maths' },
  { folder: 'test/core', never: /napi|node_api|addon\//, why: "core's tests know core only" },
]
const loader = { file: 'binding/loader.cc', never: /^(ATen|c10|torch|core|addon)\//, why: 'the loader knows Node-API only' }

const faults = []
function check(file, { never, why }) {
  const lines = readFileSync(new URL(file, root), 'utf8').split('\n')
  lines.forEach((line, index) => {
    const included = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/.exec(line)?.[1]
    if (included && never.test(included)) faults.push(`${file}:${index + 1}: includes ${included}: ${why}`)
  })
}

for (const rule of rules) {
  if (existsSync(new URL(rule.folder, root))) for (const file of filesUnder(rule.folder, ['.cc', '.h'])) check(file, rule)
}
check(loader.file, loader)
if (faults.length > 0) fail(`\n${faults.join('\n')}`)
