/** Page views of single-page applications: a changed address, or a page that came back from the browser's cache. */

/** The part of the Navigation API in use; TypeScript's DOM library does not have it yet. */
interface Navigation {
  addEventListener(
    type: 'currententrychange',
    listener: (event: { navigationType: string | null }) => void,
  ): void;
}

export interface PageWatch {
  /** Reports a change of address that is still waiting for its title. */
  settle(): void;
}

/**
 * Calls `report` for every page shown after `url`, the one already reported.
 *
 * A new address counts when it differs by more than an anchor (`#top`; hash routes such as `#/cart` count). An address
 * that was only *replaced* counts when its path differs: searching as one types rewrites the query at each key.
 * The report waits for the end of the router's turn, because most routers set the title after the address.
 */
export function watchPages(url: string, report: (atMs: number, url: string) => void): PageWatch {
  let current = url;
  let moved = 0;

  function settle(): void {
    if (!moved) return;
    const at = moved;
    moved = 0;
    report(at, current);
  }

  function look(replaced: boolean): void {
    const next = location.href;
    const cut = (href: string): string => href.replace(replaced ? /[?#].*/ : /#(?![!/]).*/, '');
    const same = cut(next) === cut(current);
    if (!same) settle();
    current = next;
    if (same) return;
    moved = Date.now();
    setTimeout(settle);
  }

  const { navigation } = window as { navigation?: Navigation };
  if (navigation) {
    navigation.addEventListener('currententrychange', ({ navigationType }) => look(navigationType === 'replace'));
  } else {
    for (const method of ['pushState', 'replaceState'] as const) {
      const original = history[method];
      history[method] = function (...args) {
        original.apply(this, args);
        look(method === 'replaceState');
      };
    }
    addEventListener('popstate', () => look(false));
  }
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    current = location.href;
    report(Date.now(), current);
  });
  look(false); // the application may have moved on while the script was loading
  return { settle };
}
