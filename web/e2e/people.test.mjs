// The list of people shows who the API answers; a search finds them; a profile says what is known and what they did, and
// both read well to everybody.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, product, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 35 });
  ({ product, api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const persons = (question) =>
  api.ask(`/v1/projects/${api.project.id}/query`, { method: "POST", body: JSON.stringify({ kind: "persons", ...question }) });
const axe = async () => (await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`);
const number = (text) => Number(text.replaceAll(",", ""));

test("the list is what the API answers, page by page", async () => {
  await page.getByRole("link", { name: "People", exact: true }).click();
  await page.getByTestId("people-row").first().waitFor();
  const { data } = await persons({ limit: 100 });
  assert.equal(number(await page.getByTestId("people-count").innerText()), data.count);
  await page.getByTestId("people-more").click();
  await eventually("a second page", async () => (await page.getByTestId("people-row").count()) === 100);
  const names = await page.getByTestId("people-row").getByRole("link").allInnerTexts();
  assert.deepEqual(names, data.persons.map((person) => person.id));
  assert.deepEqual(await axe(), []);
});

test("a search and a property find people, and the address says how", async () => {
  const filter = { person: "plan", value: "business" };
  const { data } = await persons({ filter, order: "id" });
  assert.ok(data.count > 0, "the demo has people who order for companies");
  await page.goto(`${product.url}/people?order=id&filter=${encodeURIComponent(JSON.stringify(filter))}`);
  await eventually("those with the plan", async () =>
    (await page.getByTestId("people-count").count()) === 1 && number(await page.getByTestId("people-count").innerText()) === data.count);
  const wanted = data.persons[0];
  await page.getByTestId("people-search").fill(wanted.properties.email.toUpperCase());
  await eventually("the one with the address", async () => (await page.getByTestId("people-row").count()) === 1);
  assert.match(page.url(), /search=/);
  await page.getByRole("link", { name: wanted.id, exact: true }).click();
  assert.equal(await page.getByTestId("person-name").innerText(), wanted.properties.name);
});

test("a profile says how much they did and for whom, and lists it", async () => {
  const id = new URL(page.url()).searchParams.get("person");
  const { data } = await api.ask(`/v1/projects/${api.project.id}/persons/${encodeURIComponent(id)}`);
  assert.equal(number(await page.getByTestId("person-events").innerText()), data.events);
  await eventually("their groups", async () => (await page.getByTestId("person-group").count()) === data.groups.length);
  await eventually("their events", async () => (await page.getByTestId("live-row").count()) === Math.min(50, data.events));
  assert.deepEqual(await axe(), []);
  assert.deepEqual(faults, []);
});
