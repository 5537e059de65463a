import { defineConfig } from 'vitest/config';

/** A real chromium: `CHROMIUM` names the program. One page after the other, each waits for its own events. */
export default defineConfig({
  test: {
    include: ['test/browser/*.test.ts'],
    globalSetup: 'test/build.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
