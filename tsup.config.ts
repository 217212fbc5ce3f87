import { defineConfig, type Options } from 'tsup'

// ES modules only, which CommonJS cannot require in every Node 20: what is used of them is bundled.
const shared: Options = {
  noExternal: ['env-paths', 'is-safe-filename', /^d3-/, 'internmap'],
  outDir: 'lib',
  target: 'node20',
  platform: 'node',
  treeshake: true,
  shims: true,
}

// The ES modules share their chunks; `libtorch` is for scripts/prepare.mjs alone and is not exported by the package.
export default defineConfig([
  {
    ...shared,
    entry: { index: 'src/index.ts', cli: 'src/cli/main.ts', libtorch: 'src/libtorch/index.ts' },
    format: 'esm',
    splitting: true,
  },
  { ...shared, entry: { index: 'src/index.ts' }, format: 'cjs' },
  { ...shared, entry: { index: 'src/index.ts' }, format: ['esm', 'cjs'], dts: { only: true } },
])
