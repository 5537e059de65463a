// People behind a number become a cohort that every question knows by its name; an answer is asked for again as it was,
// and what has changed since is told apart: in a real browser.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, product, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 30 }, { context: { viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" } });
  ({ product, api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const VIEWS = { kind: "trends", series: [{ event: "page_view" }] };
const at = (rest) => `/v1/projects/${api.project.id}${rest}`;
const open = (rest) => page.goto(`${product.url}/p/${api.project.number}/${rest}`);
const ask = (question, query = "") => api.ask(at(`/query${query}`), { method: "POST", body: JSON.stringify(question) });
const words = (count) => count.toLocaleString("en");
/** Either width in either theme, and nothing to complain about. */
async function looksWell() {
  for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]]) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    // Colours of the other theme are on their way until nothing moves.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.waitForFunction(() => !document.getAnimations().some((one) => one instanceof CSSTransition));
    assert.deepEqual((await new AxeBuilder({ page }).analyze()).violations.map((one) => `${one.id}: ${one.nodes[0].target}`), []);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}
/** Puts page views of people nobody knew into the past of the project. */
async function comeLate(count) {
  const timestamp = new Date(Date.now() - 3 * 86_400_000).toISOString();
  const batch = Array.from({ length: count }, (_, index) => ({ id: randomUUID(), event: "page_view", distinct_id: `late-${index}`, timestamp }));
  const answer = await fetch(`${product.url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${api.project.write_key}`, "content-type": "application/json" },
    body: JSON.stringify({ batch }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

test("people who left a funnel become a cohort, which is called by its name", async () => {
  const steps = [{ event: "page_view" }, { event: "add_to_cart" }];
  const { data } = await ask({ kind: "funnel", steps, window: "7d", actors: { step: 1, outcome: "dropped", limit: 1000 } });
  await open("funnels?step=page_view&step=add_to_cart&window=7d&people=1-dropped");
  await page.getByTestId("funnel-person").first().waitFor();
  await page.getByTestId("save-cohort").click();
  assert.equal(await page.getByTestId("save-cohort-name").inputValue(), "Left after 1. page_view");
  await page.getByTestId("save-cohort-name").fill("Only looking");
  await looksWell();
  await page.getByTestId("save-cohort-confirm").click();
  await page.getByTestId("cohort-made").getByText(`${words(data.actors.total)} members`).waitFor();
  await page.getByTestId("cohort-open").click();
  await page.getByRole("heading", { name: "Only looking" }).waitFor();

  const cohort = (await api.ask(at("/cohorts"))).data.find((one) => one.name === "Only looking");
  assert.deepEqual([cohort.name, cohort.definition, cohort.size], ["Only looking", null, data.actors.total]);
  // Everybody who is in it left there: the same question of its members has nobody who came on.
  const again = await ask({ kind: "funnel", steps, window: "7d", filter: { cohort: cohort.id } });
  assert.deepEqual(again.data.steps.map((step) => step.reached), [data.actors.total, 0]);

  await open(`trends?event=page_view&by_cohort=${cohort.id}`);
  await page.getByText("not in Only looking").first().waitFor();
  await page.getByText("in Only looking", { exact: true }).first().waitFor();
  await open(`funnels?step=page_view&step=add_to_cart&view=breakdown&breakdown=${encodeURIComponent(JSON.stringify({ cohort: cohort.id }))}`);
  await page.getByTestId("funnel-breakdown-table").getByText("not in Only looking").waitFor();
});

test("an answer is had again as it was, and what came late is told apart", async () => {
  // An answer may count what came after its own instant already: as of it, only what came before.
  const settled = (total) =>
    eventually("an answer that is the same as of its own instant", async () => {
      const { data, meta } = await ask(VIEWS);
      const again = await ask(VIEWS, `?${new URLSearchParams({ as_of: meta.as_of })}`);
      const [one, other] = [data, again.data].map((report) => report.series[0].total);
      return one === other && (total === undefined || one === total) && { total: one, ...meta };
    });
  const then = await settled();
  const { as_of, identity_version } = then;
  await comeLate(3);
  await settled(then.total + 3);
  await open(`trends?event=page_view&chart=number&${new URLSearchParams({ as_of, identity: identity_version })}`);
  const number = page.getByTestId("trend-numbers");
  await number.getByText(words(then.total), { exact: true }).waitFor();
  await page.getByTestId("past-note").waitFor();
  await looksWell();

  await page.getByTestId("past-open").click();
  await page.getByTestId("past-compare").click();
  await page.getByTestId("past-changes").getByText("3 events of these dates were received since.").waitFor();
  const cells = await page.getByTestId("past-row").locator("th, td").allInnerTexts();
  assert.deepEqual(cells, ["page_view", words(then.total), words(then.total + 3), "+3", "0"]);
  await looksWell();
  // Whoever was told two more then: those were erased since.
  await page.getByText("What did erasures take?").click();
  await page.getByRole("spinbutton", { name: "page_view" }).fill(`${then.total + 2}`);
  await page.getByRole("button", { name: "Compare with these" }).click();
  await eventually("what erasures took", async () => (await page.getByTestId("past-row").locator("td").allInnerTexts()).at(-1) === "−2");
  await page.keyboard.press("Escape");

  await page.getByTestId("past-back").click();
  await number.getByText(words(then.total + 3), { exact: true }).waitFor();
  assert.equal(await page.getByTestId("past-note").count(), 0);

  // The link in the panel is the answer as of its instant, whatever comes in.
  await page.getByTestId("past-open").click();
  const link = (await page.getByTestId("past-link").innerText()).trim();
  await comeLate(2);
  await eventually("even later ones counted", async () => (await ask(VIEWS)).data.series[0].total === then.total + 5);
  await page.goto(link);
  await number.getByText(words(then.total + 3), { exact: true }).waitFor();
});

test("web, paths and people are saved and stand on a dashboard with their numbers", async () => {
  for (const [address, name] of [["web?range=7d", "Visits"], ["paths", "Ways"], ["people?search=user-", "Known people"]]) {
    await open(address);
    await page.getByTestId("save-question").click();
    await page.getByTestId("save-name").fill(name);
    await page.getByTestId("save-confirm").click();
    await page.waitForURL(/saved=/);
  }
  await open("dashboards");
  await page.getByTestId("new-dashboard").click();
  for (const name of ["Visits", "Ways", "Known people"]) {
    await page.getByTestId("add-tile").click();
    await page.getByTestId("add-question").filter({ hasText: name }).click();
  }
  const saved = (await api.ask(at("/saved?kind=question"))).data;
  const result = (name) => api.ask(at(`/saved/${saved.find((one) => one.content.name === name).id}/result`));
  const tile = (name) => page.getByRole("region", { name: `${name}, contents` });
  await tile("Visits").getByText(words((await result("Visits")).data.total.sessions), { exact: true }).first().waitFor();
  await tile("Ways").getByText(`${words((await result("Ways")).data.paths)} people`).waitFor();
  await tile("Known people").getByText(words((await result("Known people")).data.count), { exact: true }).waitFor();
  await looksWell();
});

test("nothing went wrong unseen", () => assert.deepEqual(faults, []));
