import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { arrived, closePage, HOST, KEY, newBrowser, openPage, pass, server, type SentEvent } from './visit';

beforeEach(newBrowser);
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const MINUTE = 60_000;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const events = (): SentEvent[] => server.requests.flatMap(({ batch }) => batch);

test('an event says what, who, when and where; its batch says with what', async () => {
  const page = await openPage();
  page.track('add_to_cart', { product: 'mug', price: 12.5, at: new Date(0), nothing: undefined });
  await page.flush();
  const [sent] = server.requests;
  expect(sent!.batch[0]).toEqual({
    event: 'add_to_cart',
    id: expect.stringMatching(UUID7),
    device_id: expect.stringMatching(UUID7),
    session_id: expect.stringMatching(UUID7),
    timestamp: Date.UTC(2026, 0, 5, 12),
    properties: { product: 'mug', price: 12.5, at: '1970-01-01T00:00:00.000Z' },
    context: { page: { url: 'https://shop.example.com/', referrer: '', title: 'Shop' } },
  });
  expect(sent!.context).toEqual({
    library: { name: 'footfall-js', version: '0.0.0-test' },
    locale: navigator.language,
    screen: { width: screen.width, height: screen.height },
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
});

test('ids of one page grow, even within a millisecond and when the clock steps back', async () => {
  const page = await openPage();
  for (let n = 0; n < 3; n++) page.track('a');
  vi.setSystemTime(Date.now() - 5000);
  page.track('a');
  await page.flush();
  const ids = events().map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort());
});

test('properties are taken at the time of the call', async () => {
  const page = await openPage();
  const cart = { items: 1 };
  page.track('a', cart);
  cart.items = 2;
  await page.flush();
  expect(events()[0]!.properties).toEqual({ items: 1 });
});

describe('calls that mean nothing are ignored, and said in debug mode', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  test.each([
    ['an empty name', ['track', ' ']],
    ['no name', ['track']],
    ['a name of 201 characters', ['track', 'x'.repeat(201)]],
    ['an event over 32 KB', ['track', 'a', { text: 'x'.repeat(33_000) }]],
    ['properties in a circle', ['track', 'a', cycle]],
    ['identify undefined', ['identify', undefined]],
    ['identify null', ['identify', null]],
    ['identify " Anonymous "', ['identify', ' Anonymous ']],
    ['identify 0', ['identify', 0]],
    ['identify NaN', ['identify', NaN]],
    ['identify an object', ['identify', { id: 7 }]],
    ['a group without a type', ['group', '', 'acme']],
    ['a group that is nobody', ['group', 'company', 'undefined']],
    ['an alias of nobody', ['alias', 'old']],
    ['a second init', ['init', 'ffp_live_other']],
  ])('%s', async (_, [method, ...args]) => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    const page = await openPage({ debug: true });
    expect(() => (page as unknown as Record<string, (...args: unknown[]) => void>)[method as string]!(...args)).not.toThrow();
    await page.flush();
    expect(server.requests).toHaveLength(0);
    expect(warn).toHaveBeenCalledOnce();
  });

  test('without debug the console stays silent', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    const page = await openPage();
    page.track('');
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('people', () => {
  test('identify tells the traits once, and later events carry the user id, on later pages too', async () => {
    let page = await openPage();
    page.track('before');
    page.identify('u7', { plan: 'team' });
    page = await openPage();
    page.track('after');
    await page.flush();
    expect(events().map(({ event, user_id }) => [event, user_id])).toEqual([
      ['before', undefined],
      ['$identify', 'u7'],
      ['after', 'u7'],
    ]);
    expect(events()[1]!.set).toEqual({ plan: 'team' });
    expect(new Set(events().map(({ device_id }) => device_id)).size).toBe(1);
  });

  test('numbers are ids; saying the same again without traits sends nothing', async () => {
    const page = await openPage();
    page.identify(42);
    page.identify('42');
    page.identify('42', { plan: 'team' });
    await page.flush();
    expect(events().map(({ event, user_id }) => [event, user_id])).toEqual([
      ['$identify', '42'],
      ['$identify', '42'],
    ]);
  });

  test('another user on the same browser is the same device', async () => {
    const page = await openPage();
    page.identify('a');
    page.identify('b');
    page.track('x');
    await page.flush();
    expect(events().map(({ user_id }) => user_id)).toEqual(['a', 'b', 'b']);
    expect(new Set(events().map(({ device_id }) => device_id)).size).toBe(1);
  });

  test('what is said of the person travels with an event of its own', async () => {
    const page = await openPage();
    page.set({ plan: 'team' });
    page.setOnce({ from: 'ad' });
    page.unset(['trial']);
    page.add({ orders: 1 });
    await page.flush();
    expect(events().map(({ event, set, set_once, unset, add }) => ({ event, set, set_once, unset, add }))).toEqual([
      { event: '$set', set: { plan: 'team' } },
      { event: '$set', set_once: { from: 'ad' } },
      { event: '$set', unset: ['trial'] },
      { event: '$set', add: { orders: 1 } },
    ]);
  });

  test('events belong to the groups that were told before them, on later pages too; reset forgets them', async () => {
    let page = await openPage();
    page.track('before');
    page.group('company', 'acme', { seats: 40 });
    page.group('team', 7);
    page = await openPage();
    page.track('after');
    page.group('company', 'bolt');
    page.track('moved');
    page.reset();
    page.track('left');
    await page.flush();
    expect(events().map(({ event, groups }) => [event, groups])).toEqual([
      ['before', undefined],
      ['$groupidentify', { company: 'acme' }],
      ['after', { company: 'acme', team: '7' }],
      ['moved', { company: 'bolt', team: '7' }],
      ['left', undefined],
    ]);
    expect(events()[1]!.properties).toEqual({ $group_type: 'company', $group_key: 'acme', $group_set: { seats: 40 } });
  });

  test('an alias names the earlier id in the place of this device', async () => {
    const page = await openPage();
    page.identify('u7');
    page.alias('old-anonymous-id');
    await page.flush();
    const { event, user_id, device_id, previous_id } = events()[1]!;
    expect([event, user_id, device_id, previous_id]).toEqual(['$alias', 'u7', undefined, 'old-anonymous-id']);
  });

  test('reset forgets the user and begins a new device and session', async () => {
    const page = await openPage();
    page.identify('a');
    page.reset();
    page.track('x');
    await page.flush();
    const [before, after] = events();
    expect(after!.user_id).toBeUndefined();
    expect(after!.device_id).not.toBe(before!.device_id);
    expect(after!.session_id).not.toBe(before!.session_id);
  });

  test('the device id is a cookie of the root domain, mirrored in storage; each heals the other', async () => {
    const id = async (): Promise<string> => {
      const page = await openPage();
      page.track('x');
      await page.flush();
      return events().at(-1)!.device_id!;
    };
    const first = await id();
    expect(document.cookie).toContain(`ff_device=${first}`);
    document.cookie = 'ff_device=;path=/;expires=Thu, 01 Jan 1970 00:00:00 GMT;domain=example.com';
    expect(document.cookie).not.toContain('ff_device');
    expect(await id()).toBe(first);
    expect(document.cookie).toContain(`ff_device=${first}`);
    localStorage.removeItem('ff_device');
    expect(await id()).toBe(first);
    expect(localStorage.getItem('ff_device')).toBe(first);
  });
});

describe('sessions', () => {
  async function sessionAfter(ms: number): Promise<string> {
    vi.setSystemTime(Date.now() + ms);
    const page = await openPage();
    page.track('x');
    await page.flush();
    return events().at(-1)!.session_id;
  }

  test('a session ends with thirty minutes of silence, and is shared by pages', async () => {
    const first = await sessionAfter(0);
    expect(await sessionAfter(29 * MINUTE)).toBe(first);
    expect(await sessionAfter(29 * MINUTE)).toBe(first);
    expect(await sessionAfter(30 * MINUTE)).not.toBe(first);
  });

  test('a session ends after a day, however busy', async () => {
    const first = await sessionAfter(0);
    for (let n = 1; n < 96; n++) expect(await sessionAfter(15 * MINUTE)).toBe(first);
    expect(await sessionAfter(15 * MINUTE)).not.toBe(first);
  });

  test('a clock that was set back ends the session', async () => {
    const first = await sessionAfter(0);
    expect(await sessionAfter(-5 * 60 * MINUTE)).not.toBe(first);
  });
});

describe('starting', () => {
  test('calls before init wait for it and keep their times', async () => {
    const page = await openPage(null);
    page.track('early');
    await pass(5000);
    page.init(KEY, { host: `${HOST}/` });
    page.track('late');
    await page.flush();
    expect(events().map(({ event, timestamp }) => [event, timestamp - Date.now()])).toEqual([
      ['page_view', 0],
      ['early', -5000],
      ['late', 0],
    ]);
    expect(server.requests[0]!.url).toBe(`${HOST}/v1/events`);
  });

  test('init without a key starts nothing', async () => {
    const page = await openPage(null);
    page.init('');
    page.track('x');
    await pass(10_000);
    expect(server.requests).toHaveLength(0);
  });

  test('without a host events go to the site itself', async () => {
    const page = await openPage(null);
    page.init(KEY);
    await page.flush();
    expect(server.requests[0]!.url).toBe('https://shop.example.com/v1/events');
  });

  test('a prerendered page counts when it is shown', async () => {
    Object.assign(document, { prerendering: true });
    const page = await openPage({ autoPage: true });
    page.track('x');
    await pass(20_000);
    expect(server.requests).toHaveLength(0);
    Object.assign(document, { prerendering: false });
    document.dispatchEvent(new Event('prerenderingchange'));
    await pass(3000);
    expect(arrived()).toEqual(['page_view', 'x']);
    expect(events()[0]!.timestamp).toBe(Date.now() - 3000);
    closePage();
  });
});
