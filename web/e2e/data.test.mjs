// The page of names in a real browser: what it lists is what the API answers, what people say about a name is kept, and
// a picker offers verified names first and hidden ones not at all.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, product, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 35 });
  ({ product, api, page, faults } = dashboard);
  await eventually("the look at all names", async () => {
    const { data } = await api.ask(`/v1/projects/${api.project.id}/schema/properties?kind=event`);
    return data.properties.some((property) => property.events > 0);
  }, 60_000);
});

after(() => dashboard?.close());

const ask = (path) => api.ask(`/v1/projects/${api.project.id}/schema/${path}`);
const axe = async () => (await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`);
// At one moment: rows come and go while one looks.
const listed = () =>
  page.getByTestId("schema-row").evaluateAll((rows) => rows.map((row) => [row.querySelector(".text").innerText, row.querySelector("[data-testid=schema-volume]").innerText]));
const shown = (events) => events.map((event) => [event.event, event.volume.toLocaleString("en-US")]);

test("the list is the API's, and a name that is hidden leaves it", async () => {
  await page.getByRole("link", { name: "Data", exact: true }).click();
  await page.getByTestId("schema-row").first().waitFor();
  const { data } = await ask("events");
  assert.deepEqual(await listed(), shown(data.events));
  assert.deepEqual(await axe(), []);

  const last = data.events.at(-1).event;
  await page.getByTestId("schema-open").last().click();
  await page.getByTestId("schema-panel-property").first().waitFor();
  assert.equal(await page.getByTestId("schema-panel-volume").innerText(), shown(data.events).at(-1)[1]);
  assert.deepEqual(await axe(), []);
  await page.getByTestId("schema-description").fill("Nobody needs it");
  await page.getByTestId("schema-save").click();
  await eventually("the description in the API", async () => (await ask("events")).data.events.at(-1).description === "Nobody needs it");
  await page.getByRole("switch", { name: "Hidden", exact: true }).check({ force: true });
  await eventually("one event less", async () => (await listed()).length === data.events.length - 1);
  await page.keyboard.press("Escape");
  assert.ok(!(await listed()).some(([name]) => name === last));
  await page.getByRole("switch", { name: "Hidden ones too" }).check({ force: true });
  await eventually("the hidden one, on demand", async () => (await listed()).some(([name]) => name === last));
  await page.waitForURL(/hidden=true/);
});

test("a picker offers the verified name first, with what it means, and not the hidden one", async () => {
  const { data } = await ask("events?order=name");
  const rare = data.events.at(-1).event;
  const said = { verified: true, description: "Looked at every week" };
  await api.ask(`/v1/projects/${api.project.id}/schema/events/${rare}`, { method: "PATCH", body: JSON.stringify(said) });
  const hidden = (await ask("events?hidden=true")).data.events.find((event) => event.hidden).event;
  await page.goto(`${product.url}/p/${api.project.number}/trends?event=page_view`);
  await page.getByTestId("trend-row").first().waitFor();
  await page.getByTestId("series-0-event").click();
  const options = page.getByRole("listbox", { name: /event/i }).first().getByRole("option");
  await options.first().waitFor();
  const first = await options.first().innerText();
  assert.ok(first.includes(rare) && first.includes("Looked at every week"), first);
  assert.ok(!(await options.allInnerTexts()).some((text) => text.includes(hidden)));
});

test("properties with their values, searched", async () => {
  await page.goto(`${product.url}/p/${api.project.number}/schema?view=properties`);
  await page.getByTestId("schema-row").first().waitFor();
  assert.deepEqual(await axe(), []);
  await page.getByTestId("schema-search").fill("$browser");
  await page.waitForURL(/search=/);
  await eventually("one property", async () => (await page.getByTestId("schema-row").count()) === 1);
  await page.getByTestId("schema-open").click();
  await page.getByTestId("schema-values").waitFor();
  const { data } = await ask("properties/%24browser/values?limit=50");
  const values = await page.getByTestId("schema-values").locator(".value").allInnerTexts();
  assert.deepEqual(values, data.values.map(({ value }) => value));
  assert.deepEqual(await axe(), []);
  assert.deepEqual(faults, []);
});
