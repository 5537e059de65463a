// Paths of the demo shop: the graph shows the numbers that the API answers, the people behind a node, an edge and an end
// are as many, and a funnel's steps lead to the paths between them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openDashboard } from "./dashboard.mjs";
import { eventually } from "./product.mjs";

let dashboard, product, api, page, faults;

before(async () => {
  dashboard = await openDashboard({ events: 3_000, days: 30 }, { context: { viewport: { width: 1280, height: 900 } } });
  ({ product, api, page, faults } = dashboard);
});

after(() => dashboard?.close());

const ask = (question) => api.ask(`/v1/projects/${api.project.id}/query`, { method: "POST", body: JSON.stringify(question) });
const number = async (testid) => Number((await page.getByTestId(testid).innerText()).replace(/[^\d]*(\d[\d,]*)[^]*/, "$1").replaceAll(",", ""));
const axe = async (where) => {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map((one) => `${where}: ${one.id} ${one.nodes[0].target}`), []);
};
const usual = { kind: "paths", exclude: [{ event: "$identify" }] };

/** Loads the list to its end and counts it. */
async function listed() {
  await page.getByTestId("paths-person").first().waitFor();
  const more = page.getByTestId("paths-people-more");
  while (await more.isVisible()) {
    const before = await page.getByTestId("paths-person").count();
    await more.click();
    await eventually("another page of people", async () => (await page.getByTestId("paths-person").count()) > before);
  }
  return page.getByTestId("paths-person").count();
}

test("paths built by hand are what the API answers, and so are the people behind them", async () => {
  await page.goto(`${product.url}/paths`);
  await page.getByTestId("paths-nodes").selectOption("page");
  await page.getByTestId("paths-rules").click();
  await page.getByTestId("paths-group-add").click();
  await page.getByTestId("paths-group-0").fill("/product/*");
  await page.keyboard.press("Tab");
  await eventually("the question in the address", () => page.url().includes("group=") && page.url().includes("nodes=page"));
  const { data } = await ask({ ...usual, nodes: "page", group: ["/product/*"] });
  await eventually("the API's number", async () => (await number("paths-count-of")) === data.paths);
  for (const [place, node] of data.positions[1].nodes.entries()) {
    assert.ok((await page.getByTestId(`paths-node-2-${place}`).innerText()).startsWith(node.label));
    assert.equal(await number(`paths-node-2-${place}`).then(Number.isFinite), true);
  }
  await axe("graph");

  // A node's people, then the same by the keyboard, then an edge and an end from the table.
  const node = data.positions[1].nodes[0];
  await page.getByTestId("paths-node-2-0").focus();
  await page.keyboard.press("Enter");
  assert.equal(await listed(), node.count);
  assert.equal(await number("paths-people-total"), node.count);
  await axe("people");
  await page.keyboard.press("Escape");
  await page.getByText("As a table").click();
  const table = page.locator(".numbers").getByTestId("paths-table");
  const edge = data.edges.find((one) => one.position === 1 && one.from === 0);
  const [from, to] = [data.positions[0].nodes[edge.from], data.positions[1].nodes[edge.to]];
  await table.getByRole("button", { name: `${edge.count} from ${from.label} to ${to.label}: list them`, exact: true }).first().click();
  assert.equal(await listed(), edge.count);
  await page.keyboard.press("Escape");
  await axe("table");

  // Paths before that node: the address is the new question.
  await page.getByTestId("paths-node-2-0").click();
  await page.getByTestId("paths-before").click();
  const backward = (await ask({ ...usual, nodes: "page", group: ["/product/*"], mode: "before", anchor: { page: node.label } })).data;
  await eventually("the paths before", async () => (await number("paths-count-of")) === backward.paths);
  assert.ok(page.url().includes("mode=before"));
  await page.goBack();
  await eventually("the question before", async () => (await number("paths-count-of")) === data.paths);
  assert.deepEqual(faults, []);
});

test("a funnel's step leads to the paths of those who left, as many as it says", async () => {
  await page.goto(`${product.url}/funnels?step=view_item&step=purchase&window=7d`);
  const dropped = await number("funnel-dropped-1");
  const converted = await number("funnel-converted-2");
  await page.getByTestId("funnel-paths-dropped-1").click();
  await page.getByTestId("paths-count-of").waitFor();
  assert.equal(await number("paths-count-of"), dropped);
  await page.getByRole("button", { name: "Came to the next step" }).click();
  await eventually("those who converted", async () => (await number("paths-count-of")) === converted);
  await axe("between steps");
  assert.deepEqual(faults, []);
});

test("on a phone the paths are a table", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${product.url}/paths`);
  await page.locator(".phone").getByTestId("paths-table").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing sticks out");
  await axe("phone");
  assert.deepEqual(faults, []);
});
