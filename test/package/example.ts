import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './sandbox.js'

/** README's first example: as it stands, but for a few steps instead of hundreds, and for where it saves. */
export function readmeExample(saveTo: string): string {
  const code = /```js\n(import \{ T5 \}.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1]
  if (!code?.includes('steps: 400')) throw new Error("README's example is not where it was")
  return code.replace('steps: 400', 'steps: 2').replace('Every: 100', 'Every: 2').replaceAll("'snips.safetensors'", JSON.stringify(saveTo))
}

/** The same program as CommonJS, which has no `await` outside functions. */
export function asCommonJs(code: string): string {
  const [importLine, ...rest] = code.split('\n')
  const required = importLine?.replace(/import (.*) from ('[^']+')/, 'const $1 = require($2)')
  return `${required}\nasync function main() {\n${rest.join('\n')}\n}\nmain()\n`
}

/** The same in TypeScript for CommonJS. */
export function asCts(code: string): string {
  return asCommonJs(code).replace(/const (\{.*\}) = require\(('[^']+')\)/, 'import $1 from $2')
}
