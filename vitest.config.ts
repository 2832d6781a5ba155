import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/system/**'] } },
      {
        // Live tests share the machine's kernel: one file at a time, each in namespaces of its own.
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'fuzz', include: ['test/fuzz/fuzz.ts'] } },
    ],
  },
});
