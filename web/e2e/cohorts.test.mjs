// A cohort built by hand in a real browser has the members that the API says, is explained, and filters a trend.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 35 }, { context: { reducedMotion: "reduce" }, tolerated: /422|404/ });
  ({ api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const path = (rest) => `/v1/projects/${api.project.id}${rest}`;
const axe = async () => (await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`);
/** Three sizes in either theme, and nothing to complain about. */
async function looksWell() {
  for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await axe(), []);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

const named = async (name) => (await api.ask(path("/cohorts"))).data.find((cohort) => cohort.name === name);

test("the demo has cohorts, each with somebody in it", async () => {
  for (const name of ["Regular customers", "Left a cart behind", "Looked, then bought, on a paid plan"]) {
    await eventually(`members of ${name}`, async () => (await named(name))?.size > 0);
  }
});

test("a cohort by rules is previewed, saved, listed and explained", async () => {
  await page.getByRole("link", { name: "Cohorts" }).click();
  await page.getByTestId("cohort-new").click();
  await page.getByTestId("cohort-name").fill("Left behind");
  await page.getByTestId("cohort-event-0").fill("add_to_cart");
  await page.keyboard.press("Enter");
  await page.getByTestId("cohort-when").selectOption("ever");
  await page.getByTestId("cohort-add-rule").click();
  const second = page.getByTestId("cohort-rule").nth(1);
  await second.getByTestId("cohort-rule-what").selectOption("not did");
  await second.getByTestId("cohort-event-0").fill("purchase");
  await page.keyboard.press("Enter");
  await second.getByTestId("cohort-when").selectOption("ever");

  const definition = { and: [{ did: { event: "add_to_cart" } }, { not: { did: { event: "purchase" } } }] };
  const { data } = await api.ask(path("/cohorts/preview"), { method: "POST", body: JSON.stringify({ definition }) });
  assert.ok(data.size > 0);
  const preview = page.getByTestId("cohort-preview");
  await preview.getByText("did add_to_cart and did not do purchase").waitFor();
  await preview.getByText(new RegExp(`^${data.size} (person|people)$`)).waitFor();
  await looksWell();

  await page.getByTestId("cohort-save").click();
  await page.getByTestId("cohort-title").waitFor();
  assert.equal(await page.getByTestId("cohort-size").innerText(), `${data.size}`);
  const saved = await named("Left behind");
  assert.deepEqual([saved.name, saved.size, saved.definition], ["Left behind", data.size, definition]);

  const more = page.getByRole("button", { name: "Show more" });
  await page.getByTestId("cohort-member").first().waitFor();
  for (let shown = 0; (shown = await page.getByTestId("cohort-member").count()) < data.size; ) {
    await more.click();
    await page.getByTestId("cohort-member").nth(shown).waitFor();
  }
  assert.equal(await page.getByTestId("cohort-member").count(), data.size, "the list is as long as its number");
  await page.getByRole("button", { name: /^Why/ }).first().click();
  await page.getByTestId("cohort-why").getByText("is a member").waitFor();
  await page.getByTestId("cohort-why").getByText("never did").waitFor();
  await looksWell();
});

test("a trend is filtered and broken down by it", async () => {
  const cohort = await named("Left behind");
  await page.getByRole("link", { name: "Trends" }).click();
  await page.getByTestId("trend-row").first().waitFor();
  await page.getByTestId("add-breakdown").click();
  await page.getByTestId("breakdown-0-of").selectOption("cohort");
  await page.getByTestId("breakdown-0").selectOption(cohort.id);
  await page.waitForURL(/by_cohort=/);
  await page.getByTestId("trend-row").filter({ hasText: "not in" }).waitFor();
  const event = (await page.getByTestId("series-0-event").inputValue()).trim();
  const { data, meta } = await api.ask(path("/query"), {
    method: "POST",
    body: JSON.stringify({ kind: "trends", series: [{ event }], breakdown: [{ cohort: cohort.id }] }),
  });
  assert.ok(meta.warnings.some((warning) => warning.code === "cohort_as_of"));
  const totals = data.series.map((series) => series.total.toLocaleString("en-US"));
  const shown = await page.getByTestId("trend-value").allInnerTexts();
  assert.deepEqual(shown.map((text) => text.trim()).sort(), totals.sort());
  assert.deepEqual(await axe(), []);
});

test("a list is uploaded, and a cohort deleted", async () => {
  await page.getByRole("link", { name: "Cohorts" }).click();
  await page.getByTestId("cohort-new").click();
  await page.getByTestId("cohort-name").fill("Beta");
  await page.getByTestId("cohort-kind").selectOption("list");
  await page.getByTestId("cohort-save").click();
  const events = (await api.ask(path("/events?limit=50"))).data;
  const ids = [...new Set(events.map((event) => event.user_id).filter(Boolean))].slice(0, 3);
  await page.getByTestId("cohort-ids").fill(["distinct_id", ...ids, "nobody"].join("\n"));
  await page.getByTestId("cohort-upload").click();
  await page.getByText(new RegExp(`^${ids.length}$`)).waitFor();
  await page.getByTestId("cohort-member").nth(ids.length - 1).waitFor();
  await page.getByTestId("cohort-explain").fill("nobody");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("Nobody sent events as “nobody”.").waitFor();
  await looksWell();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByTestId("cohort-delete").click();
  await page.getByTestId("cohort-row").first().waitFor();
  assert.equal(await named("Beta"), undefined);
  assert.deepEqual(faults, []);
});
