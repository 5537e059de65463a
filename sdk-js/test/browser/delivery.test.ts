import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Footfall } from '../../src/client';
import { openSink, type Sink } from './sink';

declare const footfall: Footfall;

let browser: Browser;
let context: BrowserContext;
let sink: Sink;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
});
afterAll(() => browser?.close());
beforeEach(async () => {
  sink = await openSink();
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  await sink.close();
});

async function open(path = '/'): Promise<Page> {
  const page = await context.newPage();
  await page.goto(sink.site + path);
  await page.waitForFunction(() => !Array.isArray((window as unknown as { footfall: { q: unknown } }).footfall.q));
  return page;
}

/** Closes the tab as a user does, with all the browser's announcements. */
async function close(page: Page): Promise<void> {
  const gone = page.waitForEvent('close');
  await page.close({ runBeforeUnload: true });
  await gone;
}

const events = (name: string) => sink.requests.flatMap(({ batch }) => batch).filter(({ event }) => event === name);
const arrives = (name: string, count = 1): Promise<void> =>
  vi.waitFor(() => expect(events(name).length).toBeGreaterThanOrEqual(count), { timeout: 20_000 });
/** Ids of the events with this name: the server counts each once. */
const ids = (name: string): Set<string> => new Set(events(name).map(({ id }) => id));

test('a click and a closed tab in the same moment: the event arrives, and no preflight was asked', async () => {
  const page = await open();
  await page.click('button');
  await close(page);
  await arrives('click');
  await arrives('page_view');
  expect(new Set(sink.methods)).toEqual(new Set(['POST']));
});

test('a click on the way to the next page arrives once', async () => {
  const page = await open();
  await page.click('button');
  await page.click('a');
  await arrives('click');
  await arrives('page_view', 2);
  expect(ids('click').size).toBe(1);
  expect(new Set(sink.requests.flatMap(({ batch }) => batch.map(({ session_id }) => session_id))).size).toBe(1);
});

test('a script element alone, with data-key, works too', async () => {
  const page = await open('/tag');
  await page.click('button');
  await page.evaluate(() => footfall.flush());
  await arrives('click');
});

test('who it is, of which company, and what is known of them travels with the events of both pages', async () => {
  const page = await open();
  await page.evaluate(() => {
    footfall.identify('u7');
    footfall.alias('old-id');
    footfall.group('company', 'acme', { seats: 40 });
    footfall.setOnce({ from: 'ad' });
  });
  await page.click('a');
  await arrives('page_view', 2);
  await arrives('$set');
  const [alias, told, next] = [events('$alias')[0]!, events('$set')[0]!, events('page_view')[1]!];
  expect([alias.user_id, alias.device_id, alias.previous_id]).toEqual(['u7', undefined, 'old-id']);
  expect(events('$groupidentify')[0]!.properties).toMatchObject({ $group_set: { seats: 40 } });
  expect(told.set_once).toEqual({ from: 'ad' });
  expect(next.groups).toEqual({ company: 'acme' });
});

test('offline nothing is lost, also over a closed page; back online it is delivered', async () => {
  const page = await open();
  await page.evaluate(() => footfall.flush());
  await arrives('page_view');
  await context.setOffline(true);
  await page.click('button');
  await page.click('button');
  await page.evaluate(() => footfall.flush());
  expect(events('click')).toHaveLength(0);
  await close(page);
  await context.setOffline(false);
  await open();
  await arrives('click', 2);
  expect(ids('click').size).toBe(2);
});

test('an open page delivers by itself when the network is back', async () => {
  const page = await open();
  await context.setOffline(true);
  await page.click('button');
  await page.evaluate(() => footfall.flush());
  expect(events('click')).toHaveLength(0);
  await context.setOffline(false);
  await arrives('click');
});

test('two tabs share device and session and send each event once', async () => {
  const tabs = [await open(), await open()];
  await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(() => {
        for (let n = 0; n < 15; n++) document.querySelector('button')!.click();
        return footfall.flush();
      }),
    ),
  );
  await arrives('click', 30);
  await arrives('page_view', 2);
  const all = sink.requests.flatMap(({ batch }) => batch);
  expect(ids('click').size).toBe(30);
  expect(events('click')).toHaveLength(30);
  expect(new Set(all.map(({ device_id }) => device_id)).size).toBe(1);
  expect(new Set(all.map(({ session_id }) => session_id)).size).toBe(1);
});

test('a frame without storage and cookies works from memory', async () => {
  const page = await open('/framed');
  const frame = page.frame({ url: /\/inner$/ })!;
  const refused = await frame.evaluate(() => {
    try {
      return String(localStorage);
    } catch (error) {
      return (error as Error).name;
    }
  });
  expect(refused).toBe('SecurityError');
  await frame.click('button');
  await frame.click('button');
  await arrives('click', 2);
  expect(new Set(events('click').map(({ device_id }) => device_id)).size).toBe(1);
});

test('pages of a single-page application are counted with the real Navigation API', async () => {
  const page = await open();
  await page.evaluate(() => {
    history.pushState(null, '', '/mug');
    history.replaceState(null, '', '/mug?q=1');
  });
  await page.goBack();
  await page.evaluate(() => footfall.flush());
  await arrives('page_view', 3);
  const urls = sink.requests.flatMap(({ batch }) => batch as unknown as { context: { page: { url: string } } }[]);
  expect(urls.map(({ context: { page: at } }) => at.url.slice(sink.site.length))).toEqual(['/', '/mug?q=1', '/']);
});
