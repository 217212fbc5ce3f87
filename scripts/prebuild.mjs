// Makes prebuilds/<platform>-<arch>/ for the npm package: the loader under its tagged name and the addon beside it, both stripped. prebuildify knows
// node-gyp only, but lets another program stand in for it: our own build. Node-API needs one build for all versions of Node and Electron.
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { fail } from './shared.mjs'

const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'))
await prebuildify({
  napi: true,
  strip: true,
  tagLibc: true,
  shell: true,
  targets: [{ runtime: 'node', target: process.versions.node }],
  nodeGyp: `"${process.execPath}" scripts/build-native.mjs`,
}).catch((error) => fail(error.message))
