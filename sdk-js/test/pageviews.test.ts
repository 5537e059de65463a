import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ReplayingClient } from '../src/client';
import { arrived, leave, newBrowser, openPage, pass, server } from './visit';

const { pushState, replaceState } = history;
beforeEach(newBrowser);
afterEach(() => {
  Object.assign(history, { pushState, replaceState });
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** `[path, referrer's path, title]` of each page view. */
async function views(page: ReplayingClient): Promise<string[][]> {
  await pass(0);
  await page.flush();
  const path = (url: string): string => url.replace(/^https:\/\/shop\.example\.com/, '');
  return server.requests
    .flatMap(({ batch }) => batch)
    .filter(({ event }) => event === 'page_view')
    .map(({ context: { page: at } }) => [path(at.url), path(at.referrer), at.title]);
}

test('init and each new address are page views, with the page before as referrer', async () => {
  const page = await openPage({ autoPage: true });
  history.pushState(null, '', '/mug');
  document.title = 'Mug'; // routers set the title after the address
  await pass(0);
  history.pushState(null, '', '/cart?step=1');
  document.title = 'Cart';
  expect(await views(page)).toEqual([
    ['/', '', 'Shop'],
    ['/mug', '/', 'Mug'],
    ['/cart?step=1', '/mug', 'Cart'],
  ]);
});

test('a page view comes before what happens on the page', async () => {
  const page = await openPage({ autoPage: true });
  history.pushState(null, '', '/mug');
  page.track('view_item');
  await page.flush();
  expect(arrived()).toEqual(['page_view', 'page_view', 'view_item']);
});

test('leaving at once loses no page view', async () => {
  await openPage({ autoPage: true });
  history.pushState(null, '', '/mug');
  await leave();
  expect(arrived()).toEqual(['page_view', 'page_view']);
});

test('redirects through several addresses in one turn are each counted', async () => {
  const page = await openPage({ autoPage: true });
  history.pushState(null, '', '/account');
  history.replaceState(null, '', '/login');
  expect((await views(page)).map(([path]) => path)).toEqual(['/', '/account', '/login']);
});

test('anchors are no pages, hash routes are', async () => {
  const page = await openPage({ autoPage: true });
  history.pushState(null, '', '#top');
  history.pushState(null, '', '#/cart');
  history.pushState(null, '', '#!/pay');
  history.pushState(null, '', '#!/pay');
  expect((await views(page)).map(([path]) => path)).toEqual(['/', '/#/cart', '/#!/pay']);
});

test('a replaced address counts with its path only: searching as one types is one page', async () => {
  const page = await openPage({ autoPage: true });
  history.replaceState(null, '', '?q=m');
  history.replaceState(null, '', '?q=mu');
  history.replaceState(null, '', '/found');
  expect((await views(page)).map(([path]) => path)).toEqual(['/', '/found']);
});

test('going back is a page view', async () => {
  const page = await openPage({ autoPage: true });
  history.pushState(null, '', '/mug');
  await pass(0);
  replaceState.call(history, null, '', '/'); // what a browser does on "back", then it says popstate
  window.dispatchEvent(new Event('popstate'));
  expect((await views(page)).map(([path]) => path)).toEqual(['/', '/mug', '/']);
});

test('a page restored from the back-forward cache is viewed again', async () => {
  const page = await openPage({ autoPage: true });
  const show = (persisted: boolean): boolean => window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }));
  show(false);
  show(true);
  expect(await views(page)).toHaveLength(2);
});

test('with autoPage off only page() counts', async () => {
  const page = await openPage();
  history.pushState(null, '', '/mug');
  await pass(0);
  page.page({ section: 'kitchen' });
  expect(await views(page)).toEqual([['/mug', '', 'Shop']]);
  expect(server.requests[0]!.batch[0]!.properties).toEqual({ section: 'kitchen' });
});

describe('with the Navigation API', () => {
  test('the browser tells the changes, and history is left alone', async () => {
    const navigation = new EventTarget();
    vi.stubGlobal('navigation', navigation);
    const go = (url: string, navigationType: string): void => {
      replaceState.call(history, null, '', url);
      navigation.dispatchEvent(Object.assign(new Event('currententrychange'), { navigationType }));
    };
    const page = await openPage({ autoPage: true });
    expect(history.pushState).toBe(pushState);
    go('/mug', 'push');
    await pass(0);
    go('/mug?q=1', 'replace');
    go('/', 'traverse');
    expect((await views(page)).map(([path]) => path)).toEqual(['/', '/mug', '/']);
  });
});
