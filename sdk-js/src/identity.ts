/**
 * Who acts: the device id (this browser, over all subdomains) and, once told, the user id.
 * Both are read anew for every event, so that a sign-in or sign-out in one tab holds for the others at once.
 */

import { read, remove, write } from './storage.js';
import { uuid7 } from './uuid.js';

const DEVICE = 'ff_device';
const USER = 'ff_user';
const GROUPS = 'ff_groups';
/** The longest life that browsers grant to a cookie. */
const COOKIE_SECONDS = 400 * 86_400;
/** Texts that a broken integration sends for everybody; the server counts them as absent too. */
const DENIED = /^(null|undefined|nan|0|none|anonymous|guest|)$/i;

/** This browser's id: from the cookie, else from its mirror in storage (which heals the cookie), else a new one. */
export function deviceId(): string {
  const cookie = readCookie();
  const mirror = read(DEVICE);
  const id = cookie ?? mirror ?? uuid7(Date.now());
  if (id !== mirror) write(DEVICE, id);
  if (!cookie) writeCookie(id);
  return id;
}

/** The user id given to `identify`, if any. */
export function userId(): string | null {
  return read(USER);
}

/** A user id as it may be stored (trimmed, 1 to 200 characters), or null when it names nobody. */
export function usableId(id: unknown): string | null {
  if (typeof id !== 'string' && typeof id !== 'number') return null;
  const text = String(id).trim();
  return DENIED.test(text) || text.length > 200 ? null : text;
}

export function setUser(id: string): void {
  write(USER, id);
}

/** The groups that events belong to, by type; null for none. */
export function groups(): Record<string, string> | null {
  return JSON.parse(read(GROUPS) ?? 'null');
}

/** From now on events belong to this group. */
export function belong(type: string, key: string): void {
  write(GROUPS, JSON.stringify({ ...groups(), [type]: key }));
}

/** Forgets the user with their groups and makes this browser a new device. */
export function forget(): void {
  remove(USER);
  remove(GROUPS);
  const id = uuid7(Date.now());
  write(DEVICE, id);
  writeCookie(id);
}

function readCookie(): string | undefined {
  try {
    return /(?:^|; )ff_device=([\w-]+)/.exec(document.cookie)?.[1];
  } catch {
    return undefined; // sandboxed frame
  }
}

/**
 * Sets the cookie on the widest domain that the browser accepts. Browsers know the public suffix list and refuse
 * `co.uk`, so we offer one label more each time; an address or `localhost` ends at a cookie of this host alone.
 */
function writeCookie(id: string): void {
  try {
    const labels = location.hostname.split('.');
    for (let count = 2; count <= labels.length + 1 && readCookie() !== id; count++) {
      const domain = count > labels.length ? '' : `;domain=${labels.slice(-count).join('.')}`;
      const secure = location.protocol === 'https:' ? ';secure' : '';
      document.cookie = `${DEVICE}=${id};path=/;max-age=${COOKIE_SECONDS};samesite=lax${secure}${domain}`;
    }
  } catch {
    // the mirror in storage has it
  }
}
