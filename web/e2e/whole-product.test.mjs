// A click in a real browser becomes DAU, a funnel and a conversion rate.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, logIn } from "./dashboard.mjs";
import { eventually, signIn, startProduct } from "./product.mjs";

const STEPS = ["view_item", "add_to_cart", "begin_checkout", "purchase"];
const DAY_MS = 86_400_000;
let product, browser, api;

before(async () => {
  product = await startProduct({ events: 3_000, days: 35 });
  browser = await launchBrowser();
  api = await signIn(product);
  await eventually("everything that was acknowledged in the tables", async () => {
    const { meta } = await api.ask(`${base()}/trends?event=page_view`);
    return !meta.warnings.some((warning) => warning.code === "events_pending");
  });
});

after(async () => {
  await browser?.close();
  await product?.stop();
});

const base = () => `/v1/projects/${api.project.id}`;
const today = async () => {
  const { data } = await api.ask(`${base()}/active-users`);
  return data.days.at(-1).dau;
};
const funnel = async () => {
  const query = STEPS.map((step) => `step=${step}`).join("&");
  return (await api.ask(`${base()}/funnels?${query}&window=7d`)).data;
};

/** Who did what: a device's events are its first user's, until somebody else signs in on it. */
function byPerson(events) {
  const users = new Map();
  for (const { device_id: device, user_id: user, timestamp } of events) {
    if (!device || !user || device === user) continue;
    if (!users.has(device)) users.set(device, []);
    users.get(device).push({ user, at: Date.parse(timestamp) });
  }
  for (const seen of users.values()) seen.sort((a, b) => a.at - b.at || (a.user < b.user ? -1 : 1));
  const person = ({ device_id: device, user_id: user, timestamp }) => {
    if (user) return user;
    const seen = users.get(device);
    if (!seen) return device;
    const split = seen.find((one) => one.user !== seen[0].user);
    return split && Date.parse(timestamp) >= split.at ? `whoever uses ${device}` : seen[0].user;
  };
  const people = new Map();
  for (const event of events) people.set(person(event), [...(people.get(person(event)) ?? []), event]);
  return people;
}

async function buy(context) {
  const page = await context.newPage();
  await page.goto(product.shop);
  for (const id of ["product-1", "add-to-cart", "checkout", "pay"]) await page.getByTestId(id).click();
  return page;
}

test("the demo's funnel by API equals a naive count over the exported raw events", async () => {
  const { data, meta } = await api.ask(`${base()}/funnels?${STEPS.map((s) => `step=${s}`).join("&")}&window=7d`);
  assert.equal(meta.approximate, false);
  const [from, until] = [Date.parse(data.from), Date.parse(data.to)];
  const days = (await api.ask(`${base()}/active-users`)).data.days;
  // From before the range too: who signed in on a device then.
  const [first, last] = [new Date(Date.parse(days[0].date) - 30 * DAY_MS).toISOString().slice(0, 10), new Date(Date.parse(days.at(-1).date) + 9 * DAY_MS).toISOString().slice(0, 10)];
  const text = await api.ask(`${base()}/export?from=${first}&to=${last}`);
  const exported = text.trim().split("\n").map((line) => JSON.parse(line));
  const reached = STEPS.map(() => 0);
  for (const own of byPerson(exported).values()) {
    const events = own.map((event) => ({ name: event.event, at: Date.parse(event.timestamp), seq: event.seq, id: event.id }));
    events.sort((a, b) => a.at - b.at || a.seq - b.seq || (a.id < b.id ? -1 : 1));
    // Every possible start, the greedy chain behind it: the longest one is the person's depth.
    let deepest = 0;
    events.forEach((start, index) => {
      if (start.name !== STEPS[0] || start.at < from || start.at >= until) return;
      let depth = 1;
      for (const event of events.slice(index + 1)) {
        if (event.at - start.at > 7 * DAY_MS) break;
        if (event.name === STEPS[depth]) depth += 1;
      }
      deepest = Math.max(deepest, depth);
    });
    for (let step = 0; step < deepest; step += 1) reached[step] += 1;
  }
  assert.ok(reached[3] > 0, "the demo has buyers");
  assert.deepEqual(data.steps.map((step) => step.reached), reached);
});

test("a purchase on the shop page moves DAU, the funnel and the live tail of the open dashboard", async () => {
  const [dauBefore, funnelBefore] = [await today(), await funnel()];

  const office = await browser.newContext();
  const dashboard = await office.newPage();
  const faults = [];
  await dashboard.goto(product.url);
  await logIn(dashboard, product);
  // Before the login the silent refresh is refused, as it should be.
  dashboard.on("pageerror", (error) => faults.push(String(error)));
  dashboard.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  assert.match(await dashboard.getByTestId("card-dau").innerText(), new RegExp(`\\b${dauBefore}\\b`));
  const events = await office.newPage();
  await events.goto(`${product.url}/events`);
  await events.getByTestId("live-row").first().waitFor();

  const visitor = await browser.newContext();
  await buy(visitor);

  await eventually("the purchase in the live tail", async () =>
    (await events.getByTestId("live-row").allInnerTexts()).some((row) => row.includes("purchase")));
  await eventually("one more active person in the API", async () => (await today()) === dauBefore + 1);
  await eventually("one more active person on the open dashboard", async () =>
    new RegExp(`\\b${dauBefore + 1}\\b`).test(await dashboard.getByTestId("card-dau").innerText()));
  const funnelAfter = await eventually("one more buyer in the funnel", async () => {
    const now = await funnel();
    return now.overall.converted === funnelBefore.overall.converted + 1 && now;
  });
  assert.deepEqual(
    funnelAfter.steps.map((step, n) => step.reached - funnelBefore.steps[n].reached),
    [1, 1, 1, 1],
  );

  const link = `${product.url}/funnels?${STEPS.map((step) => `step=${step}`).join("&")}&window=7d`;
  const page = await office.newPage();
  await page.goto(link);
  await page.getByTestId("funnel-overall").waitFor();
  assert.match(await page.getByTestId("funnel-result-step-4").innerText(), new RegExp(`\\b${funnelAfter.steps[3].reached}\\b`));
  assert.deepEqual(faults, []);
});

test("the server page answers a stranger with a login, not with data", async () => {
  const stranger = await browser.newContext();
  const page = await stranger.newPage();
  await page.goto(`${product.url}/funnels`);
  await page.getByTestId("login-email").waitFor();
  const answer = await fetch(`${product.url}${base()}/events`);
  assert.equal(answer.status, 401);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
});
