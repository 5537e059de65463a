/** A browser with fake time and a fake server: pages are opened and closed, storage and cookies stay. */

import { vi } from 'vitest';
import type { Options, ReplayingClient } from '../src/client';

export const KEY = 'ffp_live_test';
export const HOST = 'https://footfall.example.com';

export interface SentEvent {
  event: string;
  id: string;
  device_id?: string;
  user_id?: string;
  previous_id?: string;
  groups?: Record<string, string>;
  session_id: string;
  timestamp: number;
  properties?: Record<string, unknown>;
  set?: Record<string, unknown>;
  set_once?: Record<string, unknown>;
  unset?: string[];
  add?: Record<string, number>;
  context: { page: { url: string; referrer: string; title: string } };
}

export interface SentBatch {
  url: string;
  init: RequestInit;
  sent_at: number;
  request_id: string;
  write_key: string;
  dropped?: number;
  sequence: number;
  context: Record<string, unknown>;
  batch: SentEvent[];
}

type Answer = () => Response | Promise<Response>;
export const answer =
  (status: number, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(status === 204 ? null : '{}', { status, headers });
export const unreachable: Answer = () => Promise.reject(new TypeError('Failed to fetch'));
/** The page is gone before the answer comes. */
export const silence: Answer = () => new Promise(() => {});

/** Requests in the order of arrival, and the answers to come; without one it is 200. */
export const server = { requests: [] as SentBatch[], answers: [] as Answer[] };

/** All events that arrived, by name. */
export const arrived = (): string[] => server.requests.flatMap(({ batch }) => batch.map(({ event }) => event));

let listeners: [EventTarget, string, EventListener][] = [];

for (const target of [window, document]) {
  const original = target.addEventListener;
  target.addEventListener = (type: string, listener: EventListener, options?: AddEventListenerOptions) => {
    listeners.push([target, type, listener]);
    original.call(target, type, listener, options);
  };
}

/** A new browser: nothing stored, noon. */
export function newBrowser(): void {
  vi.useFakeTimers();
  closePage();
  vi.setSystemTime(Date.UTC(2026, 0, 5, 12) - 1);
  localStorage.clear();
  sessionStorage.clear();
  for (const cookie of document.cookie.split('; ')) {
    const name = cookie.split('=')[0];
    for (const domain of ['', ';domain=example.com', ';domain=shop.example.com']) {
      document.cookie = `${name}=;path=/;expires=Thu, 01 Jan 1970 00:00:00 GMT${domain}`;
    }
  }
  history.replaceState(null, '', '/');
  document.title = 'Shop';
  server.requests = [];
  server.answers = [];
  const Request = class {};
  Object.assign(Request.prototype, { keepalive: false }); // as in browsers; happy-dom's has none
  vi.stubGlobal('Request', Request);
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    server.requests.push({ url, init, ...JSON.parse(String(init.body)) });
    return Promise.resolve().then(server.answers.shift() ?? answer(200));
  });
}

/** Opens a page that loads the SDK anew, and starts it unless `options` is null. Quiet: no automatic page view. */
export async function openPage(options: Options | null = {}): Promise<ReplayingClient> {
  closePage();
  const { createClient } = await import('../src/client');
  const client = createClient();
  if (options) client.init(KEY, { host: HOST, autoPage: false, ...options });
  return client;
}

/** Ends the page as a crash does: no event, no timer, no memory; storage stays. */
export function closePage(): void {
  for (const [target, type, listener] of listeners) target.removeEventListener(type, listener);
  listeners = [];
  const now = Date.now();
  vi.clearAllTimers(); // sets the clock back, too
  vi.setSystemTime(now + 1);
  vi.resetModules();
}

/** Lets fake time pass, with everything that happens in it. */
export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** Leaves the page in the way browsers announce it. */
export async function leave(): Promise<void> {
  window.dispatchEvent(new Event('pagehide'));
  await pass(0);
}

export function setOnline(online: boolean): void {
  vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(online);
  if (online) window.dispatchEvent(new Event('online'));
}
