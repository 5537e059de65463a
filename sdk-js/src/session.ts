/** Sessions: visits without a long silence, shared by all tabs of the origin. */

import { words, write } from './storage.js';
import { uuid7 } from './uuid.js';

const NAME = 'ff_session';
/** A session ends after this much silence, in milliseconds. */
const SILENCE_MS = 30 * 60_000;
/** And at this age in any case: a tab that polls all night is not one visit. */
const LONGEST_MS = 24 * 3_600_000;

/** The session that something done at `atMs` belongs to; the call counts as activity. */
export function sessionAt(atMs: number): string {
  const [id, start, last] = words(NAME);
  // the distance, not the difference: after a clock was set back the old session must not live on for hours
  if (id && Math.abs(atMs - Number(last)) < SILENCE_MS && Math.abs(atMs - Number(start)) < LONGEST_MS) {
    write(NAME, `${id} ${start} ${Math.max(atMs, Number(last))}`);
    return id;
  }
  return startSession(atMs);
}

/** Starts a new session, whatever the age of the present one. */
export function startSession(atMs: number): string {
  const id = uuid7(atMs);
  write(NAME, `${id} ${atMs} ${atMs}`);
  return id;
}
