import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { answer, arrived, KEY, leave, newBrowser, openPage, pass, server, setOnline, silence, unreachable } from './visit';

beforeEach(newBrowser);
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const stored = (): string[] => Object.keys(localStorage).filter((name) => name.startsWith('ff_q_'));
const requestIds = (): string[] => server.requests.map(({ request_id }) => request_id);

describe('batches', () => {
  test('few events wait for company, three seconds by default', async () => {
    const page = await openPage();
    page.track('a');
    await pass(2000);
    page.track('b');
    expect(server.requests).toHaveLength(0);
    await pass(1000);
    expect(server.requests.map(({ batch }) => batch.length)).toEqual([2]);
    expect(stored()).toEqual([]);
  });

  test('twenty events go at once, and never more in one batch', async () => {
    const page = await openPage();
    for (let n = 0; n < 45; n++) page.track(`e${n}`);
    await pass(0);
    expect(server.requests.map(({ batch }) => batch.length)).toEqual([20, 20, 5]);
    expect(arrived()).toEqual(Array.from({ length: 45 }, (_, n) => `e${n}`));
  });

  test('a batch stays under 48 KB, counted in UTF-8', async () => {
    const page = await openPage();
    for (let n = 0; n < 5; n++) page.track(`e${n}`, { text: 'é'.repeat(10_000) });
    await page.flush();
    expect(server.requests.map(({ batch }) => batch.length)).toEqual([2, 2, 1]);
  });

  test('the request needs no preflight: text body, no header, no credentials', async () => {
    const page = await openPage();
    page.track('a');
    await page.flush();
    const { url, init, write_key } = server.requests[0]!;
    expect(url).toBe('https://footfall.example.com/v1/events');
    expect(init).toMatchObject({ method: 'POST', credentials: 'omit', keepalive: true });
    expect(init.headers).toBeUndefined();
    expect(typeof init.body).toBe('string');
    expect(write_key).toBe(KEY);
  });
});

describe('numbers', () => {
  const numbers = (): number[][] =>
    server.requests.map(({ sequence, batch }) => batch.map((_, index) => sequence + index));

  test('the events of a browser are numbered without gaps, over pages and repetitions', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const page = await openPage();
    for (let n = 0; n < 3; n++) page.track(`e${n}`);
    server.answers = [unreachable];
    await page.flush();
    await pass(1000);
    const next = await openPage();
    next.track('later');
    await next.flush();
    expect(numbers()).toEqual([[0, 1, 2], [0, 1, 2], [3]]);
  });

  test('the halves of a batch that was too large keep its numbers, and what it says of dropped events counts once', async () => {
    const page = await openPage();
    server.answers = [answer(422), answer(413)];
    page.track('refused');
    await page.flush();
    for (let n = 0; n < 5; n++) page.track(`e${n}`);
    await page.flush();
    expect(numbers()).toEqual([[0], [1, 2, 3, 4, 5], [1, 2], [3, 4, 5]]);
    expect(server.requests.map(({ dropped }) => dropped ?? 0)).toEqual([0, 1, 1, 0]);
  });
});

describe('what the server says', () => {
  test('a repeated batch keeps its request id and events, and tells the time of this try', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const page = await openPage();
    server.answers = [answer(500), unreachable];
    page.track('a');
    await page.flush();
    page.track('b');
    await pass(1000); // first pause
    await pass(2000); // second one, doubled
    expect(server.requests.map(({ batch }) => batch.map(({ event }) => event))).toEqual([['a'], ['a'], ['a'], ['b']]);
    const [first, second, third, fourth] = server.requests;
    expect(new Set([first!.request_id, second!.request_id, third!.request_id]).size).toBe(1);
    expect(fourth!.request_id).not.toBe(first!.request_id);
    expect([second!.sent_at - first!.sent_at, third!.sent_at - second!.sent_at]).toEqual([1000, 2000]);
    expect(second!.batch).toEqual(first!.batch);
  });

  test('pauses have full jitter and a limit of five minutes', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.25);
    const page = await openPage();
    server.answers = Array.from({ length: 14 }, () => answer(503));
    page.track('a');
    await page.flush();
    await pass(250);
    expect(server.requests).toHaveLength(2);
    random.mockReturnValue(1);
    await pass(3_600_000);
    const times = server.requests.map(({ sent_at }) => sent_at);
    const pauses = times.slice(1).map((time, index) => time - times[index]!);
    expect(pauses.slice(0, 4)).toEqual([250, 500, 4000, 8000]);
    expect(Math.max(...pauses)).toBe(300_000);
    expect(stored()).toEqual([]);
  });

  test.each([
    ['seconds', '90'],
    ['a date', new Date(Date.UTC(2026, 0, 5, 12, 1, 30)).toUTCString()],
  ])('Retry-After in %s is obeyed, by later pages too and when the network comes back', async (_, header) => {
    const page = await openPage();
    server.answers = [answer(429, { 'Retry-After': header })];
    page.track('a');
    await page.flush();
    const next = await openPage();
    next.track('b');
    await next.flush();
    setOnline(true);
    await leave();
    await pass(89_000);
    expect(server.requests).toHaveLength(1);
    await pass(1000);
    expect(arrived()).toEqual(['a', 'a', 'b']);
  });

  test.each([400, 401, 403, 404, 422])('%d will never be better: the batch is dropped and counted', async (status) => {
    const page = await openPage();
    server.answers = [answer(status)];
    page.track('a');
    await page.flush();
    page.track('b');
    await page.flush();
    expect(arrived()).toEqual(['a', 'b']);
    expect(server.requests[1]!.dropped).toBe(1);
    expect(stored()).toEqual([]);
  });

  test.each([408, 429, 500, 502, 503])('%d may get better: the batch is kept', async (status) => {
    const page = await openPage();
    server.answers = [answer(status)];
    page.track('a');
    await page.flush();
    expect(stored()).toHaveLength(1);
    await pass(60_000);
    expect(arrived()).toEqual(['a', 'a']);
  });

  test('413 halves the batch under new request ids; a single event too large is dropped', async () => {
    const page = await openPage();
    server.answers = [answer(413), answer(413), answer(200), answer(413)];
    for (const name of ['a', 'b', 'c', 'd']) page.track(name);
    await page.flush();
    const names = server.requests.map(({ batch }) => batch.map(({ event }) => event).join(''));
    expect(names).toEqual(['abcd', 'ab', 'cd', 'a', 'b']);
    expect(new Set(requestIds()).size).toBe(5);
    expect(stored()).toEqual([]);
  });

  test('in debug mode the console shows what the server refused', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    const page = await openPage({ debug: true });
    server.answers = [() => new Response('{"accepted":0,"rejected":1,"results":["why"]}')];
    page.track('a');
    await page.flush();
    await pass(0);
    expect(warn.mock.lastCall!.join(' ')).toContain('"results":["why"]');
  });
});

describe('storage', () => {
  test('events outlive the page and keep their order', async () => {
    let page = await openPage();
    page.track('a');
    page.track('b');
    page = await openPage();
    page.track('c');
    await pass(3000);
    expect(arrived()).toEqual(['a', 'b', 'c']);
  });

  test('what an earlier page left goes out without a new event', async () => {
    (await openPage()).track('a');
    await openPage();
    await pass(3000);
    expect(arrived()).toEqual(['a']);
  });

  test('two hundred events are kept; the oldest go first and are counted', async () => {
    setOnline(false);
    const page = await openPage();
    for (let n = 0; n < 203; n++) page.track(`e${n}`);
    await pass(60_000);
    expect(stored()).toHaveLength(200);
    setOnline(true);
    await pass(0);
    expect(arrived()).toHaveLength(200);
    expect(arrived()[0]).toBe('e3');
    expect(server.requests[0]!.dropped).toBe(3);
    expect(server.requests[1]!.dropped).toBeUndefined();
  });

  test('no more than 256 KB are kept', async () => {
    setOnline(false);
    const page = await openPage();
    for (let n = 0; n < 20; n++) page.track(`e${n}`, { text: 'x'.repeat(25_000) });
    expect(stored()).toHaveLength(10);
  });

  test('where storage is refused, events are sent from memory', async () => {
    const refuse = (): never => {
      throw new DOMException('denied', 'SecurityError');
    };
    vi.stubGlobal('localStorage', new Proxy({}, { get: refuse, ownKeys: refuse }));
    const page = await openPage();
    page.track('a');
    page.track('b');
    await pass(3000);
    expect(arrived()).toEqual(['a', 'b']);
    const [a, b] = server.requests[0]!.batch;
    expect(a!.device_id).toBe(b!.device_id);
    expect(a!.session_id).toBe(b!.session_id);
  });
});

describe('networks and tabs', () => {
  test('offline nothing is tried; back online everything goes at once', async () => {
    const page = await openPage();
    setOnline(false);
    page.track('a');
    await pass(600_000);
    expect(server.requests).toHaveLength(0);
    setOnline(true);
    await pass(0);
    expect(arrived()).toEqual(['a']);
  });

  test('our own pause ends when the network comes back', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const page = await openPage();
    server.answers = [unreachable];
    page.track('a');
    await page.flush();
    setOnline(true);
    await pass(0);
    expect(arrived()).toEqual(['a', 'a']);
  });

  test('leaving the page sends what waits, in a request that outlives it', async () => {
    const page = await openPage();
    page.track('a');
    await leave();
    expect(arrived()).toEqual(['a']);
    expect(server.requests[0]!.init.keepalive).toBe(true);
    expect(stored()).toEqual([]);
  });

  test('without an answer the next page repeats the very same batch, a little later', async () => {
    server.answers = [silence];
    (await openPage()).track('a');
    await leave();
    const next = await openPage();
    next.track('b');
    await pass(3000);
    expect(arrived()).toEqual(['a', 'b']);
    await pass(10_000);
    expect(arrived()).toEqual(['a', 'b', 'a']);
    expect(requestIds()[2]).toBe(requestIds()[0]);
    expect(stored()).toEqual([]);
  });

  test('after half a day such a batch is taken for delivered: the server could not recognise it any more', async () => {
    server.answers = [silence];
    (await openPage()).track('a');
    await leave();
    vi.setSystemTime(Date.now() + 13 * 3_600_000);
    await openPage();
    await pass(60_000);
    expect(arrived()).toEqual(['a']);
    expect(stored()).toEqual([]);
  });

  test('requests in flight never exceed what browsers let outlive a page', async () => {
    server.answers = [silence, silence];
    const page = await openPage();
    for (let n = 0; n < 6; n++) page.track(`e${n}`, { text: 'x'.repeat(15_000) });
    await leave();
    expect(server.requests.map(({ init }) => init.keepalive)).toEqual([true, false]);
  });

  test('browsers whose fetch cannot outlive the page send a beacon', async () => {
    const beacon = vi.fn((_url: string, _body: string) => true);
    vi.stubGlobal('Request', class {});
    Object.assign(navigator, { sendBeacon: beacon });
    (await openPage()).track('a');
    await leave();
    expect(server.requests).toHaveLength(0);
    const [url, body] = beacon.mock.lastCall!;
    expect(url).toBe('https://footfall.example.com/v1/events');
    expect(JSON.parse(body)).toMatchObject({ write_key: KEY, batch: [{ event: 'a' }] });
  });

  test('while another tab sends, this one waits; a lease of a dead tab runs out', async () => {
    const page = await openPage();
    localStorage.setItem(`ff_send_${KEY}`, `${Date.now() + 45_000} another-tab`);
    page.track('a');
    await pass(44_000);
    expect(server.requests).toHaveLength(0);
    await pass(4000);
    expect(arrived()).toEqual(['a']);
  });
});
