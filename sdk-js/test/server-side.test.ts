// @vitest-environment node
import { expect, test } from 'vitest';

test('where pages are rendered on a server, the module loads and its calls do nothing', async () => {
  const { default: footfall, init, track, flush, createClient } = await import('../src/index');
  init('ffp_live_test', { host: 'https://footfall.example.com' });
  track('rendered');
  footfall.identify('u7');
  createClient().reset();
  await expect(flush()).resolves.toBeUndefined();
});
