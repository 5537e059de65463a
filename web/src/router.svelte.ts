/** What the browser shows: a reactive copy of `location`, moved by links, by `navigate` and by the back button. */
import { match, type Route } from "./routes";

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  readonly route: Route = $derived(match(this.path));
  readonly query: URLSearchParams = $derived(new URLSearchParams(this.search));

  constructor() {
    addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#click(event));
  }

  /** Goes to an address of ours. `replace` leaves no entry in the history (redirects, changes of a filter). */
  navigate(to: string, replace = false): void {
    if (to === location.pathname + location.search) return;
    const turned = to.split("?")[0] !== location.pathname;
    history[replace ? "replaceState" : "pushState"](null, "", to);
    this.#read();
    if (turned) scrollTo(0, 0);
  }

  /** Changes parameters of the current address; null removes one. */
  setQuery(changes: Record<string, string | null>): void {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    this.navigate(location.pathname + (text ? `?${text}` : ""), true);
  }

  #read(): void {
    this.path = location.pathname;
    this.search = location.search;
  }

  // Ordinary links stay ordinary: only a plain click on a link to one of our pages is taken over.
  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.hash && link.pathname === location.pathname) return;
    if (match(link.pathname).page === "missing") return;
    event.preventDefault();
    this.navigate(link.pathname + link.search);
  }
}

export const router = new Router();
