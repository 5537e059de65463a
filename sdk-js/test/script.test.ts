import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Footfall } from '../src/client';
import { snippet } from '../src/snippet';
import { arrived, closePage, HOST, KEY, newBrowser, pass, server } from './visit';

const page = window as unknown as { footfall?: Footfall };

/** Runs the snippet as a page would. */
function paste(): void {
  const code = snippet(HOST, KEY).replace(/<\/?script>/g, '');
  new Function(code)();
}

/** Runs `/f.js`, as if from this script element. */
async function load(element: Partial<HTMLScriptElement> | null = null): Promise<void> {
  vi.spyOn(document, 'currentScript', 'get').mockReturnValue(element as HTMLScriptElement);
  await import('../src/script');
  vi.resetModules();
}

beforeEach(() => {
  newBrowser();
  delete page.footfall;
  vi.spyOn(document.head, 'appendChild').mockImplementation((node) => node);
});
afterEach(() => {
  closePage();
  vi.restoreAllMocks();
});

describe('the snippet', () => {
  test('loads the script without blocking, from the host', () => {
    paste();
    const [script] = vi.mocked(document.head.appendChild).mock.lastCall as unknown as [HTMLScriptElement];
    expect(script.src).toBe(`${HOST}/f.js`);
    expect(script.async).toBe(true);
  });

  test('pasted twice it loads once', () => {
    paste();
    paste();
    expect(document.head.appendChild).toHaveBeenCalledOnce();
  });

  test('its calls are replayed with the times and addresses they were made at', async () => {
    const start = Date.now();
    paste();
    await pass(1000);
    page.footfall!.track('early', { n: 1 });
    await pass(1000);
    history.replaceState(null, '', '/next');
    await load();
    page.footfall!.track('late');
    await page.footfall!.flush();
    const events = server.requests.flatMap(({ batch }) => batch);
    expect(events.map(({ event, timestamp, context }) => [event, timestamp - start, context.page.url])).toEqual([
      ['page_view', 0, 'https://shop.example.com/'],
      ['page_view', 2000, 'https://shop.example.com/next'],
      ['early', 1000, 'https://shop.example.com/'],
      ['late', 2000, 'https://shop.example.com/next'],
    ]);
  });

  test('functions taken from the stub work after it was replaced', async () => {
    paste();
    const { track } = page.footfall!;
    await load();
    track('kept');
    await page.footfall!.flush();
    expect(arrived()).toEqual(['page_view', 'kept']);
  });

  test('a second copy of the script changes nothing', async () => {
    paste();
    await load();
    const first = page.footfall!.track;
    await load();
    expect(page.footfall!.track).toBe(first);
  });

  test('only a host and a key get into the page', () => {
    expect(snippet('https://a.example.com/stats/', KEY)).toContain('src="https://a.example.com/stats/f.js"');
    expect(snippet('https://a.example.com/"</script>', KEY)).not.toMatch(/"<\/script>[^$]/);
    expect(() => snippet('javascript:alert(1)', KEY)).toThrow(TypeError);
    expect(() => snippet('no host', KEY)).toThrow(TypeError);
    expect(() => snippet(HOST, '");alert(1)//')).toThrow(TypeError);
  });
});

describe('a script element alone', () => {
  test('data-key starts it, with the host it came from', async () => {
    await load({ src: 'https://stats.example.org/base/f.js?v=1', dataset: { key: KEY } } as Partial<HTMLScriptElement>);
    await page.footfall!.flush();
    expect(arrived()).toEqual(['page_view']);
    expect(server.requests[0]).toMatchObject({ url: 'https://stats.example.org/base/v1/events', write_key: KEY });
  });

  test('without data-key it waits for init', async () => {
    await load({ src: 'https://stats.example.org/f.js', dataset: {} } as Partial<HTMLScriptElement>);
    await pass(10_000);
    expect(server.requests).toHaveLength(0);
  });
});
