// A question is saved, changed, undone; put on a dashboard that is arranged by keys; a day is annotated: in a real browser.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, product, api, page, faults;
/** Where to put pictures of the pages, for those who want to look. */
const LOOK = process.env.FOOTFALL_LOOK;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 35 }, { context: { viewport: { width: 1280, height: 900 } } });
  ({ product, api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const axe = async () => (await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`);
const link = (name) => page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name });
const list = async (kind) => (await api.ask(`/v1/projects/${api.project.id}/saved?kind=${kind}`)).data;
async function look(name) {
  if (!LOOK) return;
  await mkdir(LOOK, { recursive: true });
  for (const [width, scheme] of [[1280, "light"], [390, "dark"]]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme });
    await page.waitForTimeout(700);
    await page.screenshot({ path: `${LOOK}/${name}-${scheme}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
}
/** Saves what a page shows under a name. */
async function save(address, name) {
  await page.goto(`${product.url}/p/${api.project.number}/${address}`);
  await page.getByTestId("save-question").click();
  await page.getByTestId("save-name").fill(name);
  await page.getByTestId("save-confirm").click();
  await page.waitForURL(/saved=/);
}

test("a question is saved with its page, changed, and undone", async () => {
  await save("trends?event=page_view&range=7d", "Views of the week");
  const [item] = await list("question");
  assert.equal(item.content.name, "Views of the week");
  assert.deepEqual(item.content.range, { last_days: 7 });
  assert.deepEqual(item.content.display, { page: "trends", address: "event=page_view" });
  const result = await api.ask(`/v1/projects/${api.project.id}/saved/${item.id}/result`);
  assert.equal(result.data.series[0].points.length, 7);

  await page.getByRole("group", { name: "Chart" }).getByRole("button", { name: "Bars" }).click();
  await page.getByTestId("save-changes").click();
  await eventually("the second version", async () => (await list("question"))[0].version === 2);
  assert.equal((await list("question"))[0].content.display.address, "event=page_view&chart=bars");
  assert.equal(await page.getByTestId("save-changes").count(), 0);

  await page.getByRole("button", { name: "Saved question" }).click();
  await page.getByTestId("undo-saved").click();
  await page.waitForURL((url) => !url.searchParams.has("chart"));
  assert.equal((await list("question"))[0].content.display.address, "event=page_view");

  await page.getByRole("button", { name: "Saved question" }).click();
  await page.getByTestId("show-versions").click();
  const versions = page.getByTestId("versions").getByRole("listitem");
  await versions.nth(2).waitFor();
  assert.equal(await versions.count(), 3);
  assert.deepEqual(await axe(), []);
  await versions.nth(1).getByRole("button", { name: "Go back to it" }).click();
  await page.waitForURL(/chart=bars/);
  await look("saved-question");
});

test("the list opens, orders, deletes and brings back", async () => {
  await save("funnels?step=page_view&step=view_item&step=purchase", "Checkout");
  await save("retention", "Who comes back");
  await save("active", "Active people");
  await link("Saved").click();
  const names = async () => page.getByTestId("saved-name").allInnerTexts();
  await eventually("four of them", async () => (await names()).length === 4);
  assert.deepEqual(await names(), ["Views of the week", "Checkout", "Who comes back", "Active people"]);
  await page.getByTestId("saved-move").nth(3).focus();
  await page.keyboard.press("ArrowUp");
  const ordered = ["Views of the week", "Checkout", "Active people", "Who comes back"];
  await eventually("the new order", async () => (await names()).join() === ordered.join());
  assert.deepEqual((await list("question")).map((item) => item.content.name), ordered);
  assert.deepEqual(await axe(), []);
  await look("saved-list");

  await page.getByTestId("saved-delete").nth(1).click();
  await eventually("one less", async () => (await names()).length === 3);
  await page.getByRole("button", { name: "Deleted" }).click();
  await page.getByTestId("saved-restore").click();
  await page.getByText("Nothing was deleted").waitFor();
  await page.getByRole("group", { name: "Which" }).getByRole("button", { name: "Saved" }).click();
  await eventually("it is back where it was", async () => (await names()).join() === ordered.join());
  await page.getByRole("link", { name: "Checkout" }).click();
  await page.getByTestId("funnel-overall").waitFor();
  assert.match(page.url(), /step=purchase.*saved=/);
});

test("a dashboard is put together, arranged by keys, and undone", async () => {
  await link("Dashboards").click();
  await page.getByTestId("new-dashboard").click();
  await page.getByTestId("board-name").fill("Monday");
  await page.keyboard.press("Enter");
  for (const name of ["Views of the week", "Checkout", "Who comes back", "Active people"]) {
    await page.getByTestId("add-tile").click();
    await page.getByTestId("add-question").filter({ hasText: name }).click();
  }
  await page.getByTestId("add-tile").click();
  await page.getByTestId("tile-text").fill("What to look at on Mondays");
  await page.getByTestId("add-text").click();
  const tiles = page.getByTestId("tile");
  await eventually("five tiles", async () => (await tiles.count()) === 5);
  const stored = async () => (await list("dashboard"))[0].content;
  await eventually("all of them saved", async () => (await stored()).tiles.length === 5);
  assert.equal((await stored()).name, "Monday");

  // The text comes to the top, by keys; the funnel grows.
  await page.getByTestId("tile-move").nth(4).focus();
  for (let place = 4; place > 0; place -= 1) {
    await page.keyboard.press("ArrowLeft");
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    await eventually("the focus goes along", async () => (await focused())?.includes(`place ${place} of 5`));
  }
  await eventually("the text first", async () => (await stored()).tiles[0].text !== undefined);
  await page.getByTestId("tile-size").nth(2).focus();
  await page.keyboard.press("ArrowDown");
  await eventually("a higher tile", async () => (await stored()).tiles[2].height === 7);
  await page.getByTestId("board-undo").click();
  await eventually("its height again", async () => (await stored()).tiles[2].height === 6);

  // Every tile tells what its question's answer tells.
  const funnel = (await list("question")).find((item) => item.content.name === "Checkout");
  const { data } = await api.ask(`/v1/projects/${api.project.id}/saved/${funnel.id}/result`);
  const shown = page.getByRole("region", { name: "Checkout, contents" });
  await shown.getByText(`${data.overall.converted.toLocaleString("en")} of ${data.overall.entered.toLocaleString("en")}`).waitFor();
  await page.getByTestId("retention-table").waitFor();
  await page.getByRole("img", { name: /Active users/ }).waitFor();
  assert.deepEqual(await axe(), []);
  await look("dashboard");

  await page.getByTestId("board-dates").selectOption("7");
  await eventually("the dates saved", async () => (await stored()).range?.last_days === 7);
  const week = await api.ask(`/v1/projects/${api.project.id}/saved/${funnel.id}/result?last_days=7`);
  await shown.getByText(`${week.data.overall.converted.toLocaleString("en")} of ${week.data.overall.entered.toLocaleString("en")}`).waitFor();
});

test("a day is annotated on a chart, and the others show it", async () => {
  await page.goto(`${product.url}/p/${api.project.number}/active`);
  await page.getByTestId("annotate").first().click();
  await page.getByTestId("annotation-text").fill("The sale began");
  assert.deepEqual(await axe(), []);
  await page.getByTestId("annotation-save").click();
  const first = page.getByRole("button", { name: /^Annotation.*The sale began/ }).first();
  await first.waitFor();
  // It stands where its day does: today is the last of them.
  const [flagged, chart] = [await first.boundingBox(), await page.getByRole("img", { name: /^Active users by day/ }).boundingBox()];
  assert.ok(flagged.x > chart.x + chart.width * 0.9, `${flagged.x} of ${chart.x} to ${chart.x + chart.width}`);
  await look("annotated");
  await page.goto(`${product.url}/p/${api.project.number}/trends?event=page_view`);
  const flag = page.getByRole("button", { name: /^Annotation.*The sale began/ });
  await flag.first().waitFor();
  assert.deepEqual(await axe(), []);
  await flag.first().click();
  await page.getByRole("button", { name: "Delete" }).click();
  await eventually("it is gone", async () => (await flag.count()) === 0);
  assert.deepEqual(await list("annotation"), []);
});

test("nothing went wrong unseen", () => assert.deepEqual(faults, []));
