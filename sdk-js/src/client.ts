/** The client: what an application calls, and how an event is put together. */

import { belong, deviceId, forget, groups, setUser, usableId, userId } from './identity.js';
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
  /** Remembers properties of the person. */
  set(properties: Properties): void;
  /** The same, but only where the person has none of that name. */
  setOnce(properties: Properties): void;
  /** Forgets properties of the person. */
  unset(names: string[]): void;
  /** Adds numbers to properties of the person. */
  add(numbers: Record<string, number>): void;
  /** From now on events belong to this group, such as `group('company', 'acme')`; `properties` are remembered of it. */
  group(type: string, key: string | number, properties?: Properties): void;
  /** The user of now had this id before on a device, such as the anonymous id that another tool gave. */
  alias(previousId: string | number): void;
  /** On sign-out: forgets the user and the groups, and starts a new device and session. */
  reset(): void;
  /** Sends what is waiting. Resolves when it was sent, or when it has to wait (offline, or the server said later). */
  flush(): Promise<void>;
}

/** A call with the time (epoch ms) and page address it was made at, as the snippet's stub notes it. */
export type Call = [method: keyof Footfall, args: unknown[], atMs: number, url: string];

/** What a call does, made at this time and address. */
type Method = (atMs: number, url: string, ...args: unknown[]) => unknown;

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

  function record(event: string, atMs: number, url: string, more: object): void {
    const id = uuid7(atMs);
    const json = JSON.stringify({
      event,
      id,
      device_id: deviceId(),
      user_id: userId() ?? undefined,
      session_id: sessionAt(atMs),
      timestamp: atMs,
      groups: groups() ?? undefined,
      ...more,
      context: { page: { url, referrer, title: document.title } },
    });
    if (byteLength(json) > EVENT_BYTES) return warn('too large:', event);
    queue?.add(id, json);
  }

  /** An event that says something of the person. */
  const tell =
    (member: string): Method =>
    (atMs, url, told) =>
      record('$set', atMs, url, { [member]: told });

  const methods: Record<keyof Footfall, Method> = {
    init: (atMs, url, key, options) => start(key, (options ?? {}) as Options, atMs, url),
    track(atMs, url, name, properties) {
      if (typeof name !== 'string' || !name.trim() || name.length > NAME_CHARS) {
        return warn('track: not a name:', name);
      }
      record(name, atMs, url, { properties });
    },
    page: (atMs, url, properties) => view(atMs, url, properties as Properties),
    identify(atMs, url, given, traits) {
      const user = usableId(given);
      if (!user) return warn('identify: not an id:', given);
      if (user === userId() && !traits) return; // applications say it on every page
      setUser(user);
      record('$identify', atMs, url, { set: traits });
    },
    set: tell('set'),
    setOnce: tell('set_once'),
    unset: tell('unset'),
    add: tell('add'),
    group(atMs, url, type, given, properties) {
      const key = usableId(given);
      if (!key || !type) return warn('group: not an id:', given);
      belong(type as string, key);
      if (!properties) return;
      const told = { $group_type: type, $group_key: key, $group_set: properties };
      record('$groupidentify', atMs, url, { properties: told });
    },
    alias(atMs, url, given) {
      const previous_id = usableId(given);
      if (!previous_id || !userId()) return warn('alias: not an id, or of nobody:', given);
      // the other id takes this device's place
      record('$alias', atMs, url, { device_id: undefined, previous_id });
    },
    reset(atMs) {
      forget();
      startSession(atMs);
    },
    flush: () => queue?.flush(),
  };

  function replay(call: Call): unknown {
    const [method, args, atMs, url] = call;
    if (typeof document === 'undefined') return undefined;
    try {
      if (!queue && method !== 'init') return void early.push(call);
      pages?.settle();
      return methods[method](atMs, url, ...args);
    } catch (error) {
      return warn(method, error); // e.g. properties with a cycle: never the host page's problem
    }
  }

  const client: Record<string, unknown> = { replay };
  for (const name in methods) {
    const method = name as keyof Footfall;
    client[name] = (...args: unknown[]) => {
      const done = replay([method, args, Date.now(), globalThis.location?.href]);
      return method === 'flush' ? Promise.resolve(done) : undefined;
    };
  }
  return client as unknown as ReplayingClient;
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
