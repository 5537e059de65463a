/** One sender at a time over all tabs of the origin. */

import { read, remove, words, write } from './storage.js';
import { uuid7 } from './uuid.js';

/** Longer than one request may take (see transport), so that a lease never ends under a living sender. */
const LEASE_MS = 45_000;

/**
 * Runs `work` if no other tab holds `name`, and returns its answer, or undefined when another tab is at it.
 * The browser's own locks end with the page. They exist on secure pages only; elsewhere a lease in storage that runs
 * out does the same, a little less exactly: two tabs may then send one batch twice, which the server recognises.
 */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
  let started = false;
  try {
    return await navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      started = true;
      return lock ? work() : undefined;
    });
  } catch {
    if (started) return undefined;
  }
  const now = Date.now();
  if (Number(words(name)[0]) > now) return undefined;
  const lease = `${now + LEASE_MS} ${uuid7(now)}`;
  write(name, lease);
  addEventListener('pagehide', release);
  try {
    return await work();
  } finally {
    release();
  }

  function release(): void {
    removeEventListener('pagehide', release);
    if (read(name) === lease) remove(name);
  }
}
