/**
 * The access token: 15 minutes long, in memory only, never in storage. The refresh token is an HttpOnly cookie that
 * scripts cannot read; refreshing rotates it, so two refreshes must never run side by side.
 */

let token: string | null = null;
let running: Promise<boolean> | null = null;
let lost: () => void = () => {};

/** Remembers that this browser signed in, so that a first visit does not begin with a refused request. */
const MARK = "footfall.signed-in";

export function hasSignedIn(): boolean {
  return read(MARK) !== null;
}

/** Takes a new token; null forgets it, here and at the next load. */
export function setToken(value: string | null): void {
  token = value;
  write(MARK, value === null ? null : "1");
}

/** Called once the server no longer accepts our refresh token. */
export function onLost(callback: () => void): void {
  lost = callback;
}

/** `fetch` with the access token; an expired one is renewed, and the request sent again, once. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const again = request.clone();
  const used = token;
  if (used) request.headers.set("Authorization", `Bearer ${used}`);
  const response = await fetch(request);
  if (response.status !== 401 || again.url.includes("/v1/auth/")) return response;
  // Another request may have renewed it while this one was under way.
  const renewed = (token !== null && token !== used) || (await refresh());
  if (!renewed) {
    setToken(null);
    lost();
    return response;
  }
  again.headers.set("Authorization", `Bearer ${token}`);
  return fetch(again);
}

/** Renews the access token by the cookie. False: the person has to sign in. Throws when the server is unreachable. */
export function refresh(): Promise<boolean> {
  running ??= exclusively(renew).finally(() => (running = null));
  return running;
}

async function renew(): Promise<boolean> {
  const response = await fetch("/v1/auth/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  if (response.status >= 500) throw new TypeError(`refresh: status ${response.status}`);
  if (!response.ok) return false;
  const answer = (await response.json()) as { access_token: string };
  setToken(answer.access_token);
  return true;
}

// Tabs share the cookie. A reused refresh token revokes the whole family, so tabs take turns (where the browser has
// locks: secure contexts).
async function exclusively(work: () => Promise<boolean>): Promise<boolean> {
  return navigator.locks ? await navigator.locks.request("footfall.refresh", work) : await work();
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function write(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Storage is blocked: signing in again after a reload is the price.
  }
}
