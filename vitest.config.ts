import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/package/**'], // minutes long: `npm run test:package`
    // Processes, not threads: each test file gets a native module of its own, as a user's program does.
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
})
