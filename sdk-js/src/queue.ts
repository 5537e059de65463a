/**
 * Events on their way: stored before anything else, sent in batches, forgotten only when the server has them.
 *
 * Every record is a storage entry of its own, so tabs never overwrite each other's. An event is stored as
 * `ff_q_<key>_<event id>`. Sealing moves up to 20 of them into one batch, `ff_q_<key>_<request id>.<count>`, whose
 * composition and request id then never change: whatever is sent twice, the server recognises. A batch that has been
 * sent carries the time before its JSON until the answer is known; a page that dies in between leaves it so.
 */

import { exclusively } from './lease.js';
import { names, read, remove, words, write } from './storage.js';
import { byteLength, post, type Reply } from './transport.js';
import { uuid7 } from './uuid.js';

const BATCH_EVENTS = 20;
const BATCH_BYTES = 48 * 1024;
const KEPT_EVENTS = 200;
const KEPT_CHARS = 256 * 1024;
/** A batch without an answer is left alone this long: it may still be under way from a page that closed. */
const ANSWER_MS = 10_000;
/** And given up after this long. Nearly always it arrived, and the server recognises repetitions for a day only. */
const RECOGNISED_MS = 12 * 3_600_000;
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 300_000;

export interface QueueSettings {
  url: string;
  key: string;
  /** How long a first event waits for company, in milliseconds. */
  intervalMs: number;
  /** What all events of a batch share. */
  context: () => object;
  /** Says what got lost, and why. Present only where a developer looks. */
  warn: ((...what: unknown[]) => void) | undefined;
}

export interface Queue {
  add(id: string, event: string): void;
  /** Sends what there is, as far as the network and the server's pauses allow. Resolves when that is done. */
  flush(): Promise<void>;
  /** The page may be about to go: sends its unsent events in requests that outlive it. */
  handOff(): void;
  /** The network is back. */
  online(): void;
}

export function openQueue({ url, key, intervalMs, context, warn }: QueueSettings): Queue {
  const prefix = `ff_q_${key}_`;
  const waitName = `ff_wait_${key}`;
  const droppedName = `ff_dropped_${key}`;
  /** The number of the next event, in this browser's own count: the server sees by the gaps what never arrived. */
  const countName = `ff_count_${key}`;
  let mine: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let running: Promise<void> | undefined;

  function schedule(delayMs: number): void {
    const at = Date.now() + delayMs;
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(flush, delayMs);
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    due = Infinity;
    running ??= drain().finally(() => {
      running = undefined;
      mine = mine.filter(read); // other tabs may have taken some
    });
    return running;
  }

  async function drain(): Promise<void> {
    let more: boolean | undefined = true;
    while (more) more = await exclusively(`ff_send_${key}`, attempt);
    // another tab is sending and takes our events along; look again in case it just looked
    if (more === undefined) schedule(Math.max(intervalMs, 100));
  }

  /** Sends one batch. True: go on at once. */
  async function attempt(): Promise<boolean> {
    const now = Date.now();
    if (held(now)) return false;
    const loose: string[] = [];
    for (const name of names(prefix)) {
      if (!countOf(name)) {
        loose.push(name);
        continue;
      }
      const age = now - (parseInt(read(name) ?? '', 10) || 0);
      if (age >= 0 && age < ANSWER_MS) schedule(ANSWER_MS - age);
      else if (age > RECOGNISED_MS && age < now) remove(name);
      else return send(name, false);
    }
    const name = seal(loose);
    return name ? send(name, false) : false;
  }

  /** Whether nothing may be sent now: offline, or within a pause. */
  function held(now: number): boolean {
    if (navigator.onLine === false) return true;
    const until = Number(words(waitName)[0]);
    if (until > now) schedule(until - now);
    return until > now;
  }

  /** Turns the first of these events into a batch and returns its name. */
  function seal(loose: string[]): string | undefined {
    const taken: string[] = [];
    const events: string[] = [];
    let size = 0;
    for (const name of loose) {
      const event = read(name);
      if (!event) continue; // another tab took it
      size += byteLength(event) + 1;
      if (events.length && (size > BATCH_BYTES || events.length >= BATCH_EVENTS)) break;
      taken.push(name);
      events.push(event);
    }
    if (!events.length) return undefined;
    const dropped = Number(read(droppedName)) || undefined;
    remove(droppedName);
    const sequence = Number(read(countName));
    write(countName, `${sequence + events.length}`);
    const name = store({ write_key: key, context: context(), dropped, sequence }, events);
    for (const event of taken) remove(event);
    mine = mine.filter((event) => !taken.includes(event));
    return name;
  }

  function store(head: object, events: string[]): string {
    const id = uuid7(Date.now());
    const name = `${prefix}${id}.${events.length}`;
    write(name, `${JSON.stringify({ ...head, request_id: id }).slice(0, -1)},"batch":[${events.join()}]}`);
    return name;
  }

  async function send(name: string, leaving: boolean): Promise<boolean> {
    const stored = read(name);
    if (!stored) return true;
    const batch = stored.slice(stored.indexOf('{'));
    const now = Date.now();
    write(name, now + batch);
    // the clock of this try, not of the first one: the server measures our clock's error by it
    return settle(name, batch, await post(url, `{"sent_at":${now},${batch.slice(1)}`, leaving));
  }

  function settle(name: string, batch: string, { status, pauseMs, response }: Reply): boolean {
    if (status < 0) {
      schedule(ANSWER_MS);
      return false;
    }
    if (!status || status === 408 || status === 429 || status >= 500) {
      write(name, batch);
      pause(pauseMs);
      return false;
    }
    remove(name);
    remove(waitName);
    if (status >= 300) {
      const { batch: events, ...head } = JSON.parse(batch);
      const texts = events.map((event: unknown) => JSON.stringify(event));
      if (status === 413 && texts.length > 1) {
        const half = texts.length >> 1;
        store(head, texts.slice(0, half));
        head.dropped = 0;
        head.sequence += half;
        store(head, texts.slice(half));
      } else drop(texts.length, `status ${status}`);
    }
    if (warn) {
      void response?.text().then((text) => {
        if (status >= 300 || /"rejected":\s*[1-9]/.test(text)) warn(text);
      });
    }
    return true;
  }

  /** Full jitter (any pause up to a doubling limit), or what the server asked for. */
  function pause(askedMs: number | undefined): void {
    const tries = Number(words(waitName)[1]) || 0;
    const limit = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** tries);
    const delay = Math.ceil(askedMs ?? Math.random() * limit);
    // no count of tries marks a pause that the server asked for: the network's return does not end it
    write(waitName, `${Date.now() + delay} ${askedMs ? 0 : tries + 1}`);
    schedule(delay);
  }

  function drop(count: number, why: string): void {
    write(droppedName, `${Number(read(droppedName)) + count}`);
    warn?.(`${count} event(s) dropped: ${why}`);
  }

  /** Keeps the storage small: the oldest goes first. */
  function trim(): void {
    let events = 0;
    let chars = 0;
    for (const name of names(prefix).reverse()) {
      const count = countOf(name) || 1;
      events += count;
      chars += read(name)?.length ?? 0;
      if (events > KEPT_EVENTS || chars > KEPT_CHARS) {
        remove(name);
        drop(count, 'too many');
      }
    }
  }

  schedule(intervalMs); // what earlier pages left
  return {
    add(id, event) {
      const name = prefix + id;
      write(name, event);
      mine.push(name);
      trim();
      if (mine.length >= BATCH_EVENTS) void flush();
      else schedule(intervalMs);
    },
    flush,
    handOff() {
      if (held(Date.now())) return;
      for (let name = seal(mine); name; name = seal(mine)) void send(name, true);
    },
    online() {
      if (Number(words(waitName)[1])) remove(waitName);
      void flush();
    },
  };
}

/** Events in a batch, by its name; 0 for a single event. */
function countOf(name: string): number {
  return Number(name.split('.')[1] ?? 0);
}
