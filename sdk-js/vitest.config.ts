import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { __VERSION__: JSON.stringify('0.0.0-test') },
  test: {
    environment: 'happy-dom',
    environmentOptions: { happyDOM: { url: 'https://shop.example.com/' } },
    include: ['test/*.test.ts'],
    globalSetup: 'test/build.ts',
  },
});
