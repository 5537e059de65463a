/**
 * Footfall in the browser, as a module:
 *
 * ```ts
 * import { init, track } from 'footfall-js';
 * init('ffp_live_…', { host: 'https://footfall.example.com' });
 * track('sign_up', { plan: 'team' });
 * ```
 *
 * The way of an event: client (puts it together) -> queue (stores it, seals batches) -> transport (POST).
 * Importing touches nothing of the browser, so it is safe where pages are rendered on a server.
 */

import { createClient as create, type Footfall } from './client.js';

export type { Footfall, Options, Properties } from './client.js';
export { snippet } from './snippet.js';

/** A client of its own, for a page that reports to two projects. */
export const createClient = (): Footfall => create();

const footfall: Footfall = /* @__PURE__ */ create();
export const { init, track, page, identify, set, setOnce, unset, add, group, alias, reset, flush } = footfall;
export default footfall;
