// A funnel is built by hand, with a filter and an exclusion; the people behind its numbers are as many as the numbers say.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

const STEPS = ["view_item", "add_to_cart", "purchase"];
const LINK = `funnels?${STEPS.map((step) => `step=${step}`).join("&")}&window=7d`;
let dashboard, product, api, page;

before(async () => {
  dashboard = await openDashboard({ events: 4_000, days: 30 }, { context: { viewport: { width: 1280, height: 900 } } });
  ({ product, api, page } = dashboard);
});

after(() => dashboard?.close());

const ask = (question) => api.ask(`/v1/projects/${api.project.id}/query`, { method: "POST", body: JSON.stringify(question) });
const number = async (testid) => Number((await page.getByTestId(testid).innerText()).replace(/[^\d]*(\d[\d,]*)[^]*/, "$1").replaceAll(",", ""));
const axe = async (where) => {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map((one) => `${where}: ${one.id} ${one.nodes[0].target}`), []);
};

/** Loads the list to its end and counts it. */
async function listed() {
  await page.getByTestId("funnel-person").first().waitFor();
  const more = page.getByTestId("funnel-people-more");
  while (await more.isVisible()) {
    const before = await page.getByTestId("funnel-person").count();
    await more.click();
    await eventually("another page of people", async () => (await page.getByTestId("funnel-person").count()) > before);
  }
  return page.getByTestId("funnel-person").count();
}

test("a funnel with a filter and an exclusion, built by hand, is what the API answers, and so are the people behind it", async () => {
  await page.goto(`${product.url}/funnels`);
  await page.getByTestId("funnel-add-step").click();
  for (const [index, step] of STEPS.entries()) {
    await page.getByTestId(`funnel-step-${index}`).fill(step);
    await page.keyboard.press("Escape");
  }
  await page.getByTestId("funnel-filter-0-0").click();
  await page.getByTestId("funnel-rule-0-0-0-property").fill("$device");
  await page.getByTestId("funnel-rule-0-0-0-op").selectOption("is_not");
  await page.getByTestId("funnel-rule-0-0-0-value").fill("mobile");
  await page.keyboard.press("Escape");
  await page.getByTestId("funnel-fold-exclusions").click();
  await page.getByTestId("funnel-add-exclusion").click();
  await page.getByTestId("funnel-exclusion-0").fill("sign_up");
  await page.keyboard.press("Escape");
  await page.getByTestId("funnel-run").click();
  await page.getByTestId("funnel-overall").waitFor();

  const question = {
    kind: "funnel",
    steps: [{ event: STEPS[0], filter: { property: "$device", op: "is_not", value: "mobile" } }, { event: STEPS[1] }, { event: STEPS[2] }],
    exclusions: [{ event: "sign_up" }],
    window: "7d",
  };
  const { data } = await ask(question);
  const plain = await ask({ kind: "funnel", steps: STEPS.map((event) => ({ event })), window: "7d" });
  assert.ok(data.overall.entered > 0 && data.overall.entered < plain.data.overall.entered, "the filter leaves some");
  for (const { index, reached } of data.steps) assert.equal(await number(`funnel-converted-${index}`), reached);

  for (const [testid, expected] of [
    ["funnel-converted-1", data.steps[0].reached],
    ["funnel-dropped-1", data.steps[0].dropped],
    ["funnel-converted-2", data.steps[1].reached],
  ]) {
    await page.getByTestId(testid).click();
    assert.equal(await listed(), expected, testid);
    assert.equal(await number("funnel-people-total"), expected);
    await page.keyboard.press("Escape");
    await page.getByTestId("funnel-people").waitFor({ state: "detached" });
  }

  // With the keyboard; everybody who left has a reason in words; the whole list as a table.
  await page.getByTestId("funnel-dropped-1").press("Enter");
  const left = await listed();
  assert.equal(await page.getByTestId("funnel-why").count(), left);
  await axe("people");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("funnel-people-csv").click()]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
  assert.equal(lines.length, left + 1);
  await page.keyboard.press("Escape");
  await page.getByTestId("funnel-people").waitFor({ state: "detached" });
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
  await eventually("the focus back at the number", async () => (await focused()) === "funnel-dropped-1");
});

test("the address is the question: a reload and the back button show the same funnel", async () => {
  await page.goto(`${product.url}/${LINK}`);
  await page.getByTestId("funnel-overall").waitFor();
  const before = await page.getByTestId("funnel-overall").innerText();
  await page.getByTestId("funnel-fold-counting").click();
  await page.getByTestId("funnel-order").selectOption("strict");
  await page.getByTestId("funnel-run").click();
  await page.getByRole("list", { name: "How it is counted" }).getByText("strict order").waitFor();
  const strict = await page.getByTestId("funnel-overall").innerText();
  await page.reload();
  await page.getByTestId("funnel-overall").waitFor();
  assert.equal(await page.getByTestId("funnel-overall").innerText(), strict);
  assert.notEqual(strict, before);
  await page.goBack();
  await eventually("the funnel before", async () => (await page.getByTestId("funnel-overall").innerText()) === before && !page.url().includes("strict"));
  await page.getByTestId("funnel-fold-counting").click();
  assert.equal(await page.getByTestId("funnel-order").inputValue(), "sequential");
});

test("a preset asks what the API makes of it", async () => {
  for (const preset of ["mixpanel", "amplitude", "posthog"]) {
    await page.goto(`${product.url}/${LINK}`);
    await page.getByTestId("funnel-fold-counting").click();
    await page.getByTestId("funnel-preset").selectOption(preset);
    const answered = page.waitForResponse((response) => response.url().endsWith("/query"));
    await page.getByTestId("funnel-run").click();
    const shown = (await (await answered).json()).data;
    const { data } = await ask({ kind: "funnel", steps: STEPS.map((event) => ({ event })), preset, from: shown.from, to: shown.to });
    assert.deepEqual(shown, data);
    await page.getByTestId("funnel-preset-limits").getByRole("listitem").first().waitFor();
  }
});

test("what does not go together is said beside the field", async () => {
  await page.goto(`${product.url}/${LINK}&order=any&max_gap=1h`);
  await page.getByTestId("funnel-refusal").waitFor();
  const fault = page.getByTestId("fault");
  await fault.first().waitFor();
  assert.match(await fault.first().innerText(), /steps in any order have no gaps/i);
  await axe("refused");

  const odd = encodeURIComponent('{"any_of":[{"event":"view_item"},{"event":"search","filter":{"property":"price","op":"gt","value":"dear"}}]}');
  await page.goto(`${product.url}/funnels?step=${odd}&step=purchase&window=7d`);
  const step = page.getByTestId("funnel-editor-step-0").getByTestId("fault");
  await step.waitFor();
  assert.match(await step.innerText(), /must be a finite number/i);
});

test("every view answers, reads well to a machine, and agrees with the funnel's number", async () => {
  const { data } = await ask({ kind: "funnel", steps: STEPS.map((event) => ({ event })), window: "7d", why_not: true });
  for (const [view, shown] of [
    ["trend", "funnel-interval"],
    ["time", "funnel-times"],
    ["sweep", "funnel-near-misses"],
    ["breakdown", "funnel-breakdown-table"],
    ["why", "funnel-reasons"],
  ]) {
    await page.goto(`${product.url}/${LINK}&view=${view}&breakdown=%24device`);
    await page.getByTestId(shown).waitFor();
    assert.match(await page.getByTestId("funnel-overall").innerText(), /%/);
    await axe(view);
  }
  const reasons = await page.getByTestId("funnel-reasons").getByRole("listitem").allInnerTexts();
  assert.equal(reasons.length, data.why_not.length);
  assert.equal(data.why_not.reduce((sum, one) => sum + one.count, 0), data.overall.entered - data.overall.converted);
});
