import { defineConfig } from 'vitest/config'

// What takes minutes: the packed package in a registry, under package managers, on every Node. One file at a time.
export default defineConfig({
  test: { include: ['test/package/**/*.test.ts'], pool: 'forks', fileParallelism: false },
})
