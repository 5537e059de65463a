// The web overview in a real browser shows the API's numbers; a row of a table filters, the address is the question, and the
// list of sessions behind a number is as long as it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 35 });
  ({ api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const ask = async (question) =>
  (await api.ask(`/v1/projects/${api.project.id}/query`, { method: "POST", body: JSON.stringify(question) })).data;
const number = (text) => Number(text.replaceAll(",", ""));
const visits = async () => number(await page.getByTestId("web-visits").innerText());
const axe = async () => (await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`);

test("headline and tables are what the API answers", async () => {
  await page.getByRole("link", { name: "Web", exact: true }).click();
  await page.getByTestId("web-table-source").waitFor();
  const web = await ask({ kind: "web", compare: "previous" });
  assert.ok(web.total.sessions > 50, "the demo has visits");
  assert.equal(await visits(), web.total.sessions);
  assert.equal(number(await page.getByTestId("web-visitors").innerText()), web.total.visitors);
  assert.equal(number(await page.getByTestId("web-views").innerText()), web.total.views);
  const shown = await page.getByTestId("web-table-page").locator("tbody tr").all();
  const rows = await Promise.all(shown.map(async (row) => [await row.getByRole("rowheader").innerText(), ...(await row.getByRole("cell").allInnerTexts()).slice(0, 2).map(number)]));
  const expected = web.tables.find((table) => table.by === "page").rows.map((row) => [row.value, row.visitors, row.views]);
  assert.deepEqual(rows, expected);
  assert.deepEqual(await axe(), []);
});

test("a row filters, the address keeps it, and the list is as long as the number", async () => {
  const all = await visits();
  const row = page.getByTestId("web-table-source").locator("tbody tr").nth(1);
  const name = (await row.getByRole("rowheader").innerText()).trim();
  const ofRow = number((await row.getByRole("cell").allInnerTexts())[1]);
  await row.getByRole("button").click();
  await page.getByTestId("web-filter").waitFor();
  await eventually("the filtered number", async () => (await visits()) === ofRow);
  assert.equal(new URL(page.url()).searchParams.get("source"), name);
  const sessions = await ask({ kind: "sessions", with_page_view: true, only: [{ by: "source", values: [name] }], list: { limit: 500 } });
  assert.equal(sessions.total.sessions, ofRow);
  assert.equal(sessions.list.total, ofRow);
  assert.equal(sessions.list.sessions.length, Math.min(500, ofRow));
  assert.ok(sessions.list.sessions.every((session) => session.source === name && session.views > 0));

  await page.reload();
  await page.getByTestId("web-table-source").waitFor();
  assert.equal(await visits(), ofRow, "a link means the same");
  await page.getByRole("button", { name: /Bounce rate/ }).click();
  assert.equal(new URL(page.url()).searchParams.get("chart"), "bounce");
  assert.deepEqual(await axe(), []);
  await page.getByTestId("web-filter").click();
  await eventually("all visits again", async () => (await visits()) === all);
  assert.equal(new URL(page.url()).searchParams.get("source"), null);
  assert.deepEqual(faults, []);
});
