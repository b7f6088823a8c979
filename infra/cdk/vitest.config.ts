import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // One import of aws-cdk-lib for all files takes most of the time off; they share no state.
    isolate: false,
    pool: 'threads',
    globalSetup: 'test/temporary-directory.ts',
    include: ['test/**/*.test.ts'],
    // Synthesizing with the nag rules takes seconds on a small machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
