// A trend with a breakdown and a formula, built by hand in a real browser, shows the numbers that the API answers; its
// address is the question; back and forward walk through it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, product, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 35 }, { tolerated: /422/ });
  ({ product, api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const ask = (question) => api.ask(`/v1/projects/${api.project.id}/query`, { method: "POST", body: JSON.stringify(question) });
/** A number as the dashboard writes it, read back: two decimals are left. */
const shown = (text) => Number(text.replaceAll(",", "").replace("−", "-"));
const rows = async () =>
  Promise.all(
    (await page.getByTestId("trend-row").all()).map(async (row) => [
      (await row.getByRole("rowheader").innerText()).split("\n").map((part) => part.trim()).filter(Boolean).join(" "),
      shown(await row.getByTestId("trend-value").innerText()),
    ]),
  );
const axe = async () => (await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`);

test("a trend with a filter, a breakdown and a formula is what the API answers", async () => {
  await page.getByRole("link", { name: "Trends" }).click();
  await page.getByTestId("trend-row").first().waitFor();

  await page.getByTestId("series-0-event").fill("purchase");
  await page.keyboard.press("Enter");
  await page.getByTestId("series-0-measure").selectOption("sum");
  await page.getByTestId("series-0-of").fill("$amount");
  await page.keyboard.press("Tab");
  await page.waitForURL(/amount/);
  await page.getByTestId("add-series").click();
  await page.getByTestId("series-1-event").fill("page_view");
  await page.keyboard.press("Enter");
  await page.getByTestId("series-1-measure").selectOption("persons");
  await page.getByTestId("series-1-filter-begin").click();
  await page.getByTestId("series-1-filter-0-property").fill("$os");
  await page.getByTestId("series-1-filter-0-op").selectOption("is_not");
  await page.getByTestId("series-1-filter-0-value").fill("iOS");
  await page.keyboard.press("Tab");
  await page.getByTestId("formula").fill("A / B");
  await page.keyboard.press("Enter");
  await page.waitForURL(/formula/);
  await page.getByTestId("add-breakdown").click();
  await page.getByTestId("breakdown-0").fill("$device");
  await page.keyboard.press("Tab");
  await page.waitForURL(/by=/);

  const { data } = await ask({
    kind: "trends",
    series: [
      { event: "purchase", measure: "sum", of: { property: "$amount" } },
      { event: "page_view", measure: "persons", filter: { property: "$os", op: "is_not", value: "iOS" } },
    ],
    formula: "A / B",
    breakdown: [{ property: "$device" }],
    breakdown_limit: 5,
  });
  const expected = [
    ...data.series.map((one) => [`${one.letter} ${one.group.values[0]}`, one.value]),
    ...data.formula.map((one) => [`= ${one.group.values[0]}`, one.value]),
  ];
  assert.ok(expected.length >= 6 && expected.every(([, value]) => value > 0), "the demo has buyers on several devices");
  const found = await eventually("a row for each series and value", async () => {
    const now = await rows();
    return now.length === expected.length && now;
  });
  found.forEach(([name, value], index) => {
    assert.equal(name, expected[index][0]);
    const answer = expected[index][1];
    assert.ok(Math.abs(value - answer) <= Math.max(0.005, answer >= 10_000 ? 0.5 : 0), `${name}: ${value} is not ${answer}`);
  });
  assert.deepEqual(await axe(), []);
});

test("the address alone brings the same answer, and the back button the question before", async () => {
  const before = await rows();
  const address = page.url();
  await page.reload();
  const again = await eventually("the rows of the address", async () => {
    const now = await rows();
    return now.length === before.length && now;
  });
  assert.deepEqual(again, before);
  assert.equal(page.url(), address);
  await page.goBack();
  await page.waitForURL((url) => !url.searchParams.has("by"));
  await page.getByTestId("add-breakdown").waitFor();
  assert.equal(await page.getByTestId("breakdown-0").count(), 0);
  await page.goForward();
  await page.waitForURL(/by=/);
  assert.equal(await page.getByTestId("breakdown-0").inputValue(), "$device");
});

test("a refused formula says so beside its field, and the last answer stays", async () => {
  await page.getByTestId("formula").fill("A /");
  await page.keyboard.press("Enter");
  const fault = page.getByTestId("fault");
  await fault.waitFor();
  assert.match(await fault.innerText(), /ends too early/i);
  assert.ok((await rows()).length > 0);
});

test("active users and retention show the API's numbers", async () => {
  await page.getByRole("link", { name: "Active users" }).click();
  await page.getByTestId("active-range").waitFor();
  assert.equal(new URL(page.url()).search, "", "no page writes into the address of the next one");
  const active = (await ask({ kind: "active_users" })).data;
  assert.equal(shown(await page.getByTestId("active-range").innerText()), active.summary.active);
  assert.equal(shown(await page.getByTestId("active-mau").innerText()), active.days.at(-1).mau);
  const stickiness = (await ask({ kind: "stickiness" })).data;
  const days = page.getByTestId("days-active");
  await days.getByRole("button", { name: /View as table/ }).click();
  assert.equal(shown(await days.getByRole("row").nth(1).getByRole("cell").innerText()), stickiness.histogram[0].persons);
  assert.deepEqual(await axe(), []);

  await page.goto(`${product.url}/retention?start=sign_up&return=view_item&by=plan&brackets=0,1,3`);
  const splits = page.getByTestId("retention-splits");
  await splits.waitFor();
  const report = (
    await ask({
      kind: "retention", unit: "week", start: { event: "sign_up" }, return: { event: "view_item" },
      brackets: [0, 1, 3], breakdown: [{ property: "plan" }], breakdown_limit: 5,
    })
  ).data;
  const texts = await splits.getByRole("row").allInnerTexts();
  report.breakdown.forEach((split, index) => {
    const [name, size] = texts[index + 1].split(/\s+/).filter(Boolean);
    assert.deepEqual([name, shown(size)], [split.value, split.size]);
  });
  assert.deepEqual(await axe(), []);
  assert.deepEqual(faults, []);
});
