/**
 * What `/f.js` runs: puts the client in the place of the snippet's stub and gives it the calls made until now.
 * Without a snippet, `<script async src="https://…/f.js" data-key="ffp_…"></script>` starts by itself.
 */

import { createClient, type Call } from './client.js';

/** The stub's queue, and after it anything that takes a call. */
interface Stub {
  q?: { push(call: Call): unknown };
}

const page = window as { footfall?: Stub };
const script = document.currentScript as HTMLScriptElement | null;
const stub: Stub = page.footfall ?? {};
const waiting = stub.q;

// a second copy of the script finds a queue that is no array and leaves
if (!waiting || Array.isArray(waiting)) {
  const { replay, ...client } = createClient(script?.src.replace(/\/f\.js.*/, ''));
  // in place, and with a queue that still takes calls: whoever kept a reference to the stub or its functions is served
  page.footfall = Object.assign(stub, client, { q: { push: replay } });
  waiting?.forEach(replay);
  const key = script?.dataset.key;
  if (key) client.init(key);
}
