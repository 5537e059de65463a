// What was sent, to the event: the ledger's equation, the reason of a rejected event, and a person forgotten.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launchBrowser, logIn } from "./dashboard.mjs";
import { eventually, signIn, startProduct } from "./product.mjs";

let product, browser, api, project, page;
const faults = [];

before(async () => {
  product = await startProduct({ events: 300, days: 2 });
  browser = await launchBrowser();
  api = await signIn(product);
  // A project of its own: every number on the page is ours.
  project = await api.ask("/v1/projects", {
    method: "POST",
    body: JSON.stringify({ organization_id: api.project.organization_id, name: "Health check", timezone: "Europe/Berlin" }),
  });
  page = await (await browser.newContext({ acceptDownloads: true })).newPage();
  await page.goto(product.url);
  await logIn(page, product);
  // Before the login the silent refresh is refused, as it should be.
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
});

after(async () => {
  await browser?.close();
  await product?.stop();
});

async function send(events) {
  const answer = await fetch(`${product.url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${project.write_key}`, "content-type": "application/json", "user-agent": "curl/8.5.0" },
    body: JSON.stringify({ batch: events }),
  });
  return { status: answer.status, ...(await answer.json()) };
}

const number = async (term) => Number((await page.getByTestId(`ledger-${term}`).innerText()).replaceAll(",", ""));
const equation = async () => {
  const terms = ["received", "stored", "duplicate", "rejected", "quarantined", "discarded", "pending"];
  return Object.fromEntries(await Promise.all(terms.map(async (term) => [term, await number(term)])));
};

test("the ledger on the page equals what was sent", async () => {
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
  await send([
    { id: first, event: "page_view", distinct_id: "anna" },
    { id: second, event: "purchase", distinct_id: "ben" },
    { distinct_id: "anna", properties: { path: "/without-a-name" } },
  ]);
  await send([{ id: second, event: "purchase", distinct_id: "ben" }]);

  await page.goto(`${product.url}/p/${project.number}/health`);
  await page.getByTestId("ledger-equation").waitFor();
  const sent = { received: 4, stored: 2, duplicate: 1, rejected: 1, quarantined: 0, discarded: 0, pending: 0 };
  await eventually("the equation of what was sent", async () => JSON.stringify(await equation()) === JSON.stringify(sent));
  assert.match(await page.getByTestId("ledger-sources").innerText(), /curl\s+8\.5\.0/);

  // An open page follows.
  await send([{ event: "page_view", distinct_id: "ben" }]);
  await eventually("one more stored on the open page", async () => (await number("stored")) === 3);
});

test("a rejected event is shown with its reason and itself", async () => {
  await page.getByRole("link", { name: "Rejected", exact: true }).first().click();
  const row = page.getByTestId("rejected-row");
  await row.waitFor();
  assert.equal(await row.count(), 1);
  assert.match(await row.innerText(), /A required field is missing/);
  await row.getByRole("button").first().click();
  assert.match(await row.innerText(), /missing_field/);
  assert.match(await row.innerText(), /\/event/);
  const sample = JSON.parse(await page.getByTestId("rejected-sample").innerText());
  assert.deepEqual(sample.properties, { path: "/without-a-name" });

  await page.goto(`${product.url}/p/${project.number}/health?view=rejected&code=too_deep`);
  await page.getByText("None with this reason").waitFor();
});

test("the overview says so, and leads there", async () => {
  await page.goto(`${product.url}/p/${project.number}/overview`);
  await page.getByTestId("health-hint").waitFor();
  assert.match(await page.getByTestId("health-hint").innerText(), /1 event rejected/);
  await page.getByRole("link", { name: "See why" }).click();
  await page.getByTestId("rejected-row").waitFor();
});

test("a person is erased, and the certificate says so", async () => {
  await page.goto(`${product.url}/p/${project.number}/settings`);
  await page.getByTestId("erase").click();
  await page.getByTestId("erase-ids").fill("ben");
  const act = page.getByTestId("confirm-action");
  await page.getByTestId("confirm-name").fill("Health");
  assert.equal(await act.isDisabled(), true, "half a name is no confirmation");
  await page.getByTestId("confirm-name").fill("Health check");
  await act.click();
  await eventually("the erasure done", async () => (await page.getByTestId("erasure-state").first().innerText()) === "Done", 120_000);

  await page.getByRole("button", { name: /^Certificate/ }).click();
  const download = page.waitForEvent("download");
  await page.getByTestId("certificate-download").click();
  const { certificate } = JSON.parse(await readFile(await (await download).path(), "utf8"));
  assert.equal(certificate.counts_before.events, 2);
  assert.equal(certificate.counts_after.events, 0);
  assert.equal(certificate.subject_hashes.length, 1);
  const left = await api.ask(`/v1/projects/${project.id}/events?distinct_id=ben`);
  assert.deepEqual(left.data, []);
});

test("an audit of the project finds that everything agrees", async () => {
  await page.goto(`${product.url}/p/${project.number}/health?view=audit`);
  await eventually("an audit that could look at everything", async () => {
    await page.getByTestId("audit-check").click();
    await page.getByTestId("audit-verdict").waitFor();
    return /Everything agrees/.test(await page.getByTestId("audit-verdict").innerText());
  });
});

test("nothing was refused by the content security policy, nothing failed in the page", () => assert.deepEqual(faults, []));
