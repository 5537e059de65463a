/**
 * Looks at every page in a real browser against the mock server: screenshots, axe, console, layout overflow.
 * `npm run build && npm run look -- [folder for the pictures [beginning of page names]]`; fails when there is anything to complain about.
 */
import { mkdirSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { serve } from "../test/mock-server.mjs";

const pictures = process.argv[2];
/** Only pages whose names begin so. */
const only = process.argv[3] ?? "";
if (pictures) mkdirSync(pictures, { recursive: true });
const complaints = [];
const TREND = `/p/1/trends?series=${encodeURIComponent('[{"event":"purchase","measure":"sum","of":{"property":"$amount"}},{"event":"page_view","measure":"persons"}]')}&formula=A/B&by=$device&compare=previous`;

const FUNNEL = "/p/1/funnels?step=page_view&step=view_item&step=add_to_cart&step=begin_checkout&step=purchase&window=7d";
const OPTIONAL = `step=page_view&step=${encodeURIComponent('{"any_of":[{"event":"view_item","filter":{"property":"$device","value":"mobile"}},{"event":"search"}],"name":"looked"}')}&step=${encodeURIComponent('{"event":"sign_up","optional":true}')}&step=purchase&window=14d`;
/** Name, address, and what to do before looking. */
const PAGES = [
  ["overview", "/", async (page) => page.getByTestId("card-dau").waitFor()],
  ["overview-table", "/p/1/overview?range=90d&exact=true", async (page) => page.getByRole("button", { name: /View as table: Active/ }).click()],
  ["overview-chart", "/p/1/overview?range=7d", async (page) => page.getByRole("slider").first().focus()],
  ["overview-dates", "/p/1/overview", async (page) => page.getByRole("button", { name: /^Dates/ }).click()],
  ["overview-projects", "/p/1/overview", async (page) => page.getByRole("button", { name: /^Project/ }).click()],
  ["overview-account", "/p/1/overview", async (page) => page.getByRole("button", { name: "Account" }).click()],
  ["overview-hours", "/p/1/overview?from=2026-11-20&to=2026-11-22", async (page) => page.getByTestId("card-dau").waitFor()],
  ["trends", "/p/1/trends", async (page) => page.getByTestId("trend-row").first().waitFor()],
  ["trends-by", TREND, async (page) => page.getByTestId("trend-row").first().waitFor()],
  ["trends-bars", "/p/1/trends?event=purchase&event=sign_up&chart=bars&range=90d", async (page) => page.getByTestId("trend-row").first().waitFor()],
  ["trends-table", `${TREND}&chart=table&interval=week`, async (page) => page.getByRole("region", { name: "The numbers" }).focus()],
  ["trends-number", `${TREND}&chart=number`, async (page) => page.getByTestId("trend-numbers").waitFor()],
  ["trends-refused", "/p/1/trends?event=purchase&formula=A%20%3F", async (page) => page.getByTestId("fault").first().waitFor({ state: "attached" })],
  ["trends-hours", "/p/1/trends?event=page_view&from=2026-11-20&to=2026-11-22", async (page) => page.getByRole("slider").first().focus()],
  [
    "trends-editing",
    "/p/1/trends?event=page_view",
    async (page) => {
      await unfold(page, "trend-row");
      await page.getByTestId("filter-begin").click();
      await page.getByTestId("add-breakdown").click();
      await page.getByTestId("breakdown-0").fill("$");
    },
  ],
  ["active", "/p/1/active", async (page) => page.getByTestId("active-dau").waitFor()],
  ["active-weeks", "/p/1/active?windows=weeks&lifecycle=week&days=at_least&range=90d&event=purchase", async (page) => page.getByTestId("active-dau").waitFor()],
  ["active-ratio", "/p/1/active?windows=ratio&exact=true", async (page) => page.getByRole("slider").first().focus()],
  ["active-nobody", "/p/1/active?event=unheard_of", async (page) => page.getByText("Nobody in these dates").first().waitFor()],
  ["schema", "/p/1/schema", async (page) => page.getByTestId("schema-row").first().waitFor()],
  ["schema-event", "/p/1/schema?open=purchase", async (page) => page.getByTestId("schema-panel-property").first().waitFor()],
  ["schema-properties", "/p/1/schema?view=properties", async (page) => page.getByTestId("schema-row").first().waitFor()],
  ["schema-property", "/p/1/schema?view=properties&open=quantity", async (page) => page.getByTestId("schema-values").waitFor()],
  ["schema-nothing", "/p/1/schema?search=unheard", async (page) => page.getByText("No such name").waitFor()],
  ["waiting", "/p/3/overview", async (page) => page.getByTestId("snippet").waitFor()],
  ["funnels-empty", "/p/1/funnels", async (page) => page.getByRole("button", { name: /Start with/ }).waitFor()],
  ["funnels", FUNNEL, async (page) => page.getByTestId("funnel-overall").waitFor()],
  ["funnels-table", FUNNEL, async (page) => page.getByRole("button", { name: "View the funnel as a table" }).click()],
  [
    "funnels-many",
    `/p/1/funnels?${Array.from({ length: 9 }, (_, index) => `step=${["page_view", "search", "view_item"][index % 3]}`).join("&")}&step=${encodeURIComponent('["purchase","sign_up"]')}&window=30m`,
    async (page) => page.getByTestId("funnel-overall").waitFor(),
  ],
  ["funnels-trend", `${FUNNEL}&view=trend&range=90d`, async (page) => page.getByTestId("funnel-interval").waitFor()],
  ["funnels-trend-steps", `${FUNNEL}&view=trend&interval=week&range=90d`, async (page) => page.getByLabel("What is shown").selectOption("steps")],
  ["funnels-time", `${FUNNEL}&view=time`, async (page) => page.getByRole("slider").focus()],
  ["funnels-sweep", `${FUNNEL}&view=sweep`, async (page) => page.getByTestId("funnel-near-misses").waitFor()],
  ["funnels-breakdown", `${FUNNEL}&view=breakdown&breakdown=%24device&attribution=step:2`, async (page) => page.getByTestId("funnel-breakdown-table").waitFor()],
  ["funnels-unbroken", `${FUNNEL}&view=breakdown`, async (page) => page.getByText("By which property?").waitFor()],
  ["funnels-why", `${FUNNEL}&view=why`, async (page) => page.getByTestId("funnel-reasons").waitFor()],
  ["funnels-why-any", `${FUNNEL}&view=why&order=any`, async (page) => page.getByText("Not of this funnel").waitFor()],
  ["funnels-people", `${FUNNEL}&people=2-dropped&exclude=refund&hold=%24device`, async (page) => page.getByTestId("funnel-person").first().waitFor()],
  ["funnels-optional", `/p/1/funnels?${OPTIONAL}`, async (page) => page.getByTestId("funnel-overall").waitFor()],
  [
    "funnels-refused",
    `${FUNNEL}&order=any&tie_ms=5&max_gap=1h&exclude=refund`,
    async (page) => {
      await page.getByTestId("funnel-refusal").waitFor();
      await page.getByTestId("fault").first().waitFor();
    },
  ],
  [
    "funnels-editor",
    `/p/1/funnels?${OPTIONAL}&preset=mixpanel&exclude=refund&hold=%24device&breakdown=plan&filter=${encodeURIComponent('{"or":[{"property":"plan","op":"in","value":["pro","club"]},{"person":"age","op":"between","value":[18,30]}]}')}`,
    async (page) => {
      await page.getByTestId("funnel-overall").waitFor();
      if (await page.getByRole("button", { name: /Change$/ }).isVisible()) await page.getByRole("button", { name: /Change$/ }).click();
      for (const part of ["filter", "exclusions", "breakdown", "counting"]) await page.getByTestId(`funnel-fold-${part}`).click();
    },
  ],
  ["funnels-choosing", "/p/1/funnels", async (page) => page.getByTestId("funnel-step-0").fill("ch")],
  ["web", "/p/1/web", async (page) => page.getByTestId("web-table-source").waitFor()],
  ["web-filtered", "/p/1/web?source=&page=%2F&chart=bounce&range=90d", async (page) => page.getByTestId("web-filter").first().waitFor()],
  ["web-nobody", "/p/1/web?page=%2Funheard-of", async (page) => page.getByText("No visits like these").waitFor()],
  ["retention", "/p/1/retention?range=90d", async (page) => page.getByTestId("retention-table").waitFor()],
  ["retention-days", "/p/1/retention?unit=day&start=sign_up&rule=streak", async (page) => page.getByRole("region", { name: "Retention table" }).focus()],
  ["retention-split", "/p/1/retention?by=plan&brackets=0,1,3&start=sign_up", async (page) => page.getByTestId("retention-splits").waitFor()],
  ["retention-curves", "/p/1/retention?view=curves&range=90d", async (page) => page.getByRole("slider").first().focus()],
  ["retention-choosing", "/p/1/retention", async (page) => {
    await unfold(page, "retention-table");
    await page.getByTestId("retention-start").fill("ch");
  }],
  ["retention-nobody", "/p/1/retention?start=unheard_of", async (page) => page.getByText("Nobody started").waitFor()],
  ["events", "/p/1/events", async (page) => page.getByTestId("live-row").first().waitFor()],
  ["events-open", "/p/1/events?event=purchase", async (page) => page.getByTestId("live-row").first().getByRole("button").first().click()],
  ["events-none", "/p/1/events?event=unheard_of", async (page) => page.getByText("No such events").waitFor()],
  ["health", "/p/1/health", async (page) => page.getByTestId("ledger-equation").waitFor()],
  ["health-words", "/p/1/health", async (page) => page.getByText("What the words mean").click()],
  ["health-point", "/p/1/health?span=1h", async (page) => page.getByRole("slider").focus()],
  ["health-month", "/p/1/health?span=30d", async (page) => page.getByTestId("ledger-equation").waitFor()],
  ["health-table", "/p/1/health?span=7d", async (page) => page.getByRole("button", { name: /View as table/ }).click()],
  ["health-time", "/p/1/health", async (page) => page.getByRole("button", { name: /^Time/ }).click()],
  ["health-empty", "/p/3/health", async (page) => page.getByText("Nothing arrived", { exact: true }).waitFor()],
  ["rejected", "/p/1/health?view=rejected", async (page) => page.getByTestId("rejected-row").first().waitFor()],
  ["rejected-open", "/p/1/health?view=rejected&code=wrong_type", async (page) => page.getByTestId("rejected-row").first().getByRole("button").first().click()],
  ["rejected-none", "/p/1/health?view=rejected&code=too_deep", async (page) => page.getByText("None with this reason").waitFor()],
  ["letters", "/p/1/health?view=letters", async (page) => page.getByTestId("letter-row").first().waitFor()],
  ["letters-viewer", "/p/2/health?view=letters", async (page) => page.getByTestId("letter-row").first().getByRole("button").first().click()],
  [
    "letters-open",
    "/p/1/health?view=letters",
    async (page) => {
      await page.getByTestId("letter-row").first().getByRole("button").first().click();
      await page.getByTestId("letter-event").waitFor();
    },
  ],
  [
    "letters-discard",
    "/p/1/health?view=letters",
    async (page) => {
      await page.getByTestId("letter-row").nth(1).getByRole("button").first().click();
      await page.getByRole("button", { name: "Discard" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Discard event" }).click();
      await page.getByText("The ledger counts it as such").waitFor();
      await page.getByTestId("letter-row").first().getByRole("button").first().click();
      await page.getByRole("button", { name: "Discard" }).click();
    },
  ],
  [
    "letters-none",
    "/p/1/health?view=letters",
    async (page) => {
      await page.getByRole("button", { name: /^Replay all/ }).click();
      await page.getByText("No dead letters").waitFor();
    },
  ],
  ["audit", "/p/1/health?view=audit", async (page) => page.getByTestId("audit-check").click()],
  [
    "audit-differs",
    "/p/1/health?view=audit",
    async (page) => {
      await page.getByTestId("audit-check").click();
      await page.getByText("Days that differ").waitFor();
    },
  ],
  ["settings", "/p/1/settings", async (page) => page.getByText("Warehouse export").waitFor()],
  ["settings-key", "/p/1/settings", async (page) => page.getByRole("button", { name: "New key" }).click()],
  ["settings-role", "/p/1/settings", async (page) => page.getByRole("button", { name: /^Role of sam/ }).click()],
  [
    "settings-privacy",
    "/p/1/settings",
    async (page) => {
      await page.getByTestId("erasure-row").first().waitFor();
      await page.getByTestId("erase").scrollIntoViewIfNeeded();
    },
  ],
  [
    "settings-erase",
    "/p/1/settings",
    async (page) => {
      await page.getByTestId("erase").click();
      await page.getByTestId("erase-ids").fill("customer-400\n0197b3c1-0633-7a4e-9b1d-5f0c2e6a8d31");
      await page.getByTestId("confirm-name").fill("Demo shop");
    },
  ],
  ["settings-certificate", "/p/1/settings", async (page) => page.getByRole("button", { name: /Certificate of A person \(3/ }).click()],
  [
    "settings-retention",
    "/p/1/settings",
    async (page) => {
      await page.getByTestId("retention").selectOption({ label: "1 year" });
      await page.getByRole("button", { name: "Save" }).last().click();
      await page.getByRole("dialog").waitFor();
    },
  ],
  ["settings-delete", "/p/1/settings", async (page) => page.getByTestId("delete-project").click()],
  [
    "settings-organization",
    "/p/1/settings",
    async (page) => {
      await page.getByRole("button", { name: /^Project: / }).click();
      await page.getByRole("button", { name: "New project" }).click();
      await page.getByLabel("Organization").selectOption("A new organization");
    },
  ],
  ["settings-viewer", "/p/2/settings", async (page) => page.getByText("Your role here").waitFor()],
  [
    "help",
    "/p/1/overview",
    async (page) => {
      await page.getByTestId("card-dau").waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
    },
  ],
  ["missing", "/p/99/overview", async (page) => page.getByText("Nothing here").waitFor()],
];

/** Where there is little room the question is folded. */
async function unfold(page, answer) {
  await page.getByTestId(answer).first().waitFor();
  const fold = page.getByRole("button", { name: /^Change the question/ });
  if (await fold.isVisible()) await fold.click();
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

for (const scheme of ["light", "dark"]) {
  for (const width of [1280, 390, 360]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: width > 700 ? 860 : 800 }, timezoneId: "Europe/Berlin" });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await context.newPage();
    const name = `${scheme}-${width}`;
    let where = "start";
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !where.startsWith("failing") && !where.endsWith("refused")) complaints.push(`${name} ${where}: console: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`${name} ${where}: ${error.message}`));

    const look = async (what) => {
      where = what;
      await page.waitForTimeout(250);
      if (pictures) await page.screenshot({ path: `${pictures}/${what}-${name}.png`, fullPage: width > 700 ? false : !what.includes("-open") && what !== "events" });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) complaints.push(`${name} ${what}: ${over} px wider than the window`);
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const one of violations) complaints.push(`${name} ${what}: axe ${one.id}: ${one.nodes.map((node) => `${node.target} ${node.any[0]?.message ?? node.failureSummary}`).slice(0, 2).join(" | ")}`);
    };

    const first = await serve({ setup: true });
    await page.goto(`${first.url}/`);
    await page.getByTestId("setup-email").waitFor();
    await look("setup");
    first.close();

    const mock = await serve();
    await page.goto(`${mock.url}/p/1/overview`);
    await page.getByTestId("login-email").fill("demo@example.com");
    await page.getByTestId("login-password").fill("wrong");
    where = "failing login";
    await page.getByTestId("login-submit").click();
    await page.getByRole("alert").waitFor();
    await look("login");
    await page.getByTestId("login-password").fill("footfall-demo");
    await page.getByTestId("login-submit").click();
    await page.getByTestId("card-dau").waitFor();
    for (const [what, path, prepare] of PAGES.filter(([one]) => one.startsWith(only))) {
      where = what;
      await page.goto(mock.url + path);
      try {
        await prepare(page);
      } catch (error) {
        complaints.push(`${name} ${what}: ${error.message.split("\n")[0]}`);
      }
      await look(what);
    }
    // The first event turns the waiting page by itself.
    where = "first event";
    await page.goto(`${mock.url}/p/3/overview`);
    await page.getByText("Waiting for your first event").waitFor();
    mock.firstEvent();
    await page.getByText("Events are arriving").waitFor();
    await look("arrived");
    await page.goto("about:blank");
    mock.close();

    const broken = await serve({ fail: true });
    where = "failing";
    await page.goto(`${broken.url}/`);
    await page.getByTestId("login-email").fill("demo@example.com");
    await page.getByTestId("login-password").fill("footfall-demo");
    await page.getByTestId("login-submit").click();
    await page.getByText("ClickHouse does not answer").first().waitFor();
    await look("failing");
    for (const view of ["", "?view=rejected", "?view=letters"]) {
      await page.goto(`${broken.url}/p/1/health${view}`);
      await page.getByText("ClickHouse does not answer").first().waitFor();
      await look(`failing-health${view.replace("?view=", "-")}`);
    }
    const slow = await serve({ slow: 60_000 });
    await page.goto(`${slow.url}/`);
    await page.getByTestId("login-email").fill("demo@example.com");
    await page.getByTestId("login-password").fill("footfall-demo");
    await page.getByTestId("login-submit").click();
    await page.getByText("Daily active").waitFor();
    await look("loading");
    await page.goto(`${slow.url}/p/1/health`);
    await page.getByText("What became of it").waitFor();
    await look("loading-health");
    await context.close();
    broken.close();
    slow.close();
    console.log(`${name}: looked`);
  }
}
await browser.close();
for (const complaint of complaints) console.log(complaint);
console.log(complaints.length === 0 ? "no complaints" : `${complaints.length} complaints`);
process.exit(complaints.length === 0 ? 0 : 1);
