import { defineConfig } from 'vitest/config';
import { SkipReport } from './test/helpers/skip-report.ts';

export default defineConfig({
  test: {
    reporters: ['default', new SkipReport()],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          // No test asserts a time; this only ends one that hangs, on a busy machine too.
          testTimeout: 60_000,
        },
      },
      {
        // Live tests share the machine's kernel: one file at a time, each in namespaces of its own.
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          fileParallelism: false,
          // Other work on the processors can starve a receiver. The report says which test needed it.
          retry: 1,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'fuzz', include: ['test/fuzz/fuzz.ts'] } },
    ],
  },
});
