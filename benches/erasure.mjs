// How long an erasure takes: fills a project with events of many people, asks for one of them to be erased, and
// prints when each state was reached, and the certificate.
//
//   node benches/erasure.mjs http://127.0.0.1:8080 EMAIL PASSWORD [EVENTS OF OTHERS] [EVENTS OF THE PERSON]
//
// The account must own a project. Its events are real ones: use an installation made for this.

const [base, email, password, others = "3000000", own = "10000"] = process.argv.slice(2);
if (!password) {
  console.error("usage: node benches/erasure.mjs URL EMAIL PASSWORD [EVENTS OF OTHERS] [EVENTS OF THE PERSON]");
  process.exit(2);
}
const DAY = 86_400_000;
const DAYS = 60;
const BATCH = 1_000;
const SENDERS = 8;

async function ask(method, path, token, body) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const session = await ask("POST", "/v1/auth/login", null, { email, password });
const token = session.access_token;
const project = (await ask("GET", "/v1/projects", token)).data.find((one) => one.role === "owner");
const started = Date.now();

/** Sends `count` events of whomever `who` names, in requests of a thousand, over sixty days. */
async function send(count, who) {
  let next = 0;
  const sender = async () => {
    while (next < count) {
      const first = next;
      next += BATCH;
      const events = Array.from({ length: Math.min(BATCH, count - first) }, (_, n) => ({
        event: ["view_item", "add_to_cart", "purchase"][(first + n) % 3],
        distinct_id: who(first + n),
        timestamp: started - Math.floor(Math.random() * DAYS * DAY),
        properties: { sku: `A-${(first + n) % 97}`, amount: 9.9 },
      }));
      for (;;) {
        const response = await fetch(`${base}/v1/events`, {
          method: "POST",
          headers: { "x-api-key": project.write_key },
          body: JSON.stringify({ request_id: crypto.randomUUID(), batch: events }),
        });
        await response.arrayBuffer();
        if (response.ok) break;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
}

const run = started.toString(36);
const ids = [`erase-me-${run}`, `erase-me-too-${run}`];
await send(Number(others), (n) => `person-${n % 50_000}`);
await send(Number(own), (n) => ids[n % ids.length]);
console.log(`${Number(others) + Number(own)} events sent in ${((Date.now() - started) / 1000).toFixed(1)} s`);

const path = `/v1/projects/${project.id}/erasures`;
const asked = performance.now();
let erasure = await ask("POST", path, token, { kind: "person", distinct_ids: ids });
let state = "";
for (;;) {
  if (erasure.state !== state) {
    state = erasure.state;
    console.log(`${((performance.now() - asked) / 1000).toFixed(2).padStart(8)} s  ${state}`);
  }
  if (erasure.finished_at) break;
  await new Promise((resolve) => setTimeout(resolve, 100));
  erasure = await ask("GET", `${path}/${erasure.id}`, token);
}
console.log(JSON.stringify(erasure.certificate, null, 2));
