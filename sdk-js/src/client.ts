/** The client: what an application calls, and how an event is put together. */

import { deviceId, forget, setUser, usableId, userId } from './identity.js';
import { watchPages, type PageWatch } from './pageviews.js';
import { openQueue, type Queue } from './queue.js';
import { sessionAt, startSession } from './session.js';
import { byteLength } from './transport.js';
import { uuid7 } from './uuid.js';

/** Written in by the build, from package.json. */
declare const __VERSION__: string;

/** The server refuses larger events. */
const EVENT_BYTES = 32 * 1024;
const NAME_CHARS = 200;

/** JSON values under names; dates become ISO texts, functions and undefined are left out. */
export type Properties = Record<string, unknown>;

export interface Options {
  /** Where Footfall runs, e.g. `https://footfall.example.com`. Default: where the script came from, else this site. */
  host?: string;
  /** Count a page view on init and at every change of address. Default: true. */
  autoPage?: boolean;
  /** How long an event may wait for others to travel with, in milliseconds. Default: 3000. */
  flushInterval?: number;
  /** Say in the console which calls were ignored and which events the server refused, and why. Default: false. */
  debug?: boolean;
}

export interface Footfall {
  /** Starts sending to the project of this public write key (`ffp_…`). Calls made before are kept until then. */
  init(key: string, options?: Options): void;
  /** Records that something happened. */
  track(event: string, properties?: Properties): void;
  /** Records a `page_view`; for sites that set `autoPage: false`. */
  page(properties?: Properties): void;
  /** From now on this is the person whom your application knows by `userId`; `traits` are remembered of them. */
  identify(userId: string | number, traits?: Properties): void;
  /** On sign-out: forgets the user, and starts a new device and session. */
  reset(): void;
  /** Sends what is waiting. Resolves when it was sent, or when it has to wait (offline, or the server said later). */
  flush(): Promise<void>;
}

/** A call with the time (epoch ms) and page address it was made at, as the snippet's stub notes it. */
export type Call = [method: keyof Footfall, args: unknown[], atMs: number, url: string];

/** A client together with the way to give it calls that were made earlier. */
export interface ReplayingClient extends Footfall {
  replay(call: Call): unknown;
}

/** A client of its own; most applications use the ready one of this package. Does nothing outside a browser. */
export function createClient(defaultHost?: string): ReplayingClient {
  let early: Call[] = [];
  let debug = false;
  let starting = false;
  let queue: Queue | undefined;
  let pages: PageWatch | undefined;
  let viewed = '';
  let referrer = '';

  const warn = (...what: unknown[]): void => {
    if (debug) console.warn('[footfall]', ...what);
  };

  function start(key: unknown, options: Options, atMs: number, url: string): void {
    debug = !!options.debug || debug;
    if (typeof key !== 'string' || !key) return warn('init: no write key');
    if (starting) return warn('init: called before');
    starting = true;
    if ((document as { prerendering?: boolean }).prerendering) {
      // nobody has seen the page yet, and perhaps nobody will: the visit begins when it is shown
      document.addEventListener('prerenderingchange', () => open(key, options, Date.now(), location.href), {
        once: true,
      });
    } else open(key, options, atMs, url);
  }

  function open(key: string, { host, autoPage, flushInterval, debug }: Options, atMs: number, url: string): void {
    const opened = openQueue({
      url: `${(host ?? defaultHost ?? location.origin).replace(/\/+$/, '')}/v1/events`,
      key,
      intervalMs: flushInterval ?? 3000,
      context: batchContext,
      warn: debug ? warn : undefined,
    });
    queue = opened;
    referrer = document.referrer;
    const leave = (): void => {
      pages?.settle();
      opened.handOff();
    };
    addEventListener('pagehide', leave);
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && leave());
    addEventListener('online', opened.online);
    if (autoPage !== false) {
      view(atMs, url);
      pages = watchPages(url, view);
    }
    const calls = early;
    early = [];
    calls.forEach(replay);
  }

  function view(atMs: number, url: string, properties?: Properties): void {
    if (viewed && viewed !== url) referrer = viewed;
    viewed = url;
    record('page_view', atMs, url, { properties });
  }

  function record(event: string, atMs: number, url: string, more: { properties?: unknown; set?: unknown }): void {
    const id = uuid7(atMs);
    const json = JSON.stringify({
      event,
      id,
      device_id: deviceId(),
      user_id: userId() ?? undefined,
      session_id: sessionAt(atMs),
      timestamp: atMs,
      ...more,
      context: { page: { url, referrer, title: document.title } },
    });
    if (byteLength(json) > EVENT_BYTES) return warn('too large:', event);
    queue?.add(id, json);
  }

  function identify(given: unknown, traits: unknown, atMs: number, url: string): void {
    const user = usableId(given);
    if (!user) return warn('identify: not an id:', given);
    if (user === userId() && !traits) return; // applications say it on every page
    setUser(user);
    record('$identify', atMs, url, { set: traits });
  }

  function replay(call: Call): unknown {
    const [method, [first, second], atMs, url] = call;
    if (typeof document === 'undefined') return undefined;
    try {
      if (method === 'init') return start(first, (second ?? {}) as Options, atMs, url);
      if (!queue) return void early.push(call);
      pages?.settle();
      if (method === 'flush') return queue.flush();
      if (method === 'track') {
        if (typeof first !== 'string' || !first.trim() || first.length > NAME_CHARS) {
          return warn('track: not a name:', first);
        }
        record(first, atMs, url, { properties: second });
      } else if (method === 'page') view(atMs, url, first as Properties);
      else if (method === 'identify') identify(first, second, atMs, url);
      else if (method === 'reset') {
        forget();
        startSession(atMs);
      }
    } catch (error) {
      warn(method, error); // e.g. properties with a cycle: never the host page's problem
    }
    return undefined;
  }

  const now =
    (method: keyof Footfall) =>
    (...args: unknown[]): unknown =>
      replay([method, args, Date.now(), typeof document === 'undefined' ? '' : location.href]);

  return {
    init: now('init'),
    track: now('track'),
    page: now('page'),
    identify: now('identify'),
    reset: now('reset'),
    flush: async () => void (await now('flush')()),
    replay,
  };
}

function batchContext(): object {
  const { width, height } = screen;
  return {
    library: { name: 'footfall-js', version: __VERSION__ },
    locale: navigator.language,
    screen: { width, height },
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}
