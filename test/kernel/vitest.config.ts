import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { SkipReport } from '../helpers/skip-report.ts';
import { LEFT_OUT, TellingFirst } from './suite.ts';
import { SuiteReport } from './suite-report.ts';

/** The live suite on another kernel: see docs/kernels.md. A processor that is emulated needs time. */
const config: ViteUserConfig = defineConfig({
  test: {
    name: 'system',
    include: ['test/system/**/*.test.ts'],
    exclude: Object.keys(LEFT_OUT),
    fileParallelism: false,
    setupFiles: ['test/kernel/load-all.ts'],
    // Modules are loaded once, not for each file.
    isolate: false,
    testTimeout: 900_000,
    hookTimeout: 600_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 60_000 } },
    env: { PATIENCE: '5' },
    sequence: { sequencer: TellingFirst },
    reporters: [new SuiteReport(), new SkipReport()],
    // Filled outside, where compiling takes a twentieth of the time.
    experimental: { fsModuleCache: true, fsModuleCachePath: '.cache/kernels/modules' },
  },
});

export default config;
