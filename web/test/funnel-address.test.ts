import { expect, test } from "vitest";
import { emptyRule, everything } from "../src/filter-query";
import { funnelFromUrl, funnelToUrl } from "../src/funnel/address";
import { emptyFunnel, emptyStep, PRESETS, type FunnelQuery, type Preset } from "../src/funnel/query";

const text = (query: FunnelQuery) => new URLSearchParams(funnelToUrl(query)).toString();
const through = (query: FunnelQuery) => funnelFromUrl(new URLSearchParams(text(query)));
const steps = (...events: string[][]): FunnelQuery => ({ ...emptyFunnel(), steps: events.map((names) => emptyStep(...names)) });
const where = (name: string) => ({ join: "and" as const, rules: [{ ...emptyRule(), name, values: ["x, y"] }] });

test("a question survives the URL, whatever its events are called", () => {
  const query = steps(["view"], ["add to cart", "buy&now"], ['["odd"]'], ['{"event":"x"}'], ["a|b,c=d"], ["[half"], ["{half"], ["größe 👟"]);
  expect(through({ ...query, window: { value: 30, unit: "m" } })).toEqual({ ...query, window: { value: 30, unit: "m" } });
});

test("every field survives the URL", () => {
  const query: FunnelQuery = {
    steps: [
      emptyStep("a"),
      { any: [{ event: "b", filter: where("plan") }, { event: "c", filter: everything() }], name: "looked", optional: true },
      { any: [{ event: "d", filter: everything() }, { event: "e", filter: everything() }], name: "", optional: true },
      { any: [{ event: "f", filter: where("$country") }], name: "", optional: false },
    ],
    window: null,
    order: "strict",
    maxGap: { value: 90, unit: "s" },
    rangeRule: "all",
    entity: "group",
    group: { of: "person", name: "company" },
    count: "total",
    reentry: "first",
    hold: [{ of: "event", name: "cart" }, { of: "person", name: "plan" }, { of: "event", name: "{odd" }],
    exclusions: [
      { events: ["x"], filter: everything(), after: 1, before: null },
      { events: ["{y"], filter: everything(), after: 1, before: null },
      { events: ["y", "z"], filter: where("amount"), after: 2, before: 4 },
    ],
    onExclusion: "drop",
    tieMs: 250,
    ignore: ["$identify", "ping"],
    filter: { join: "or", rules: [{ ...emptyRule(), name: "a", values: ["1"] }, { ...emptyRule(), of: "person", name: "b", op: "in", values: ["2", "3"] }] },
    breakdown: { of: "person", name: "plan" },
    limit: 5,
    attribution: "step:2",
    preset: "mixpanel",
  };
  expect(through(query)).toEqual(query);
  expect(through({ ...query, ignore: [] })?.ignore).toEqual([]);
});

test("plain steps stay readable in the address, and what is usual leaves no trace", () => {
  expect(funnelToUrl(steps(["view"], ["buy"]))).toEqual([["step", "view"], ["step", "buy"], ["window", "7d"]]);
  expect(funnelToUrl({ ...steps(["a", "b"], ["c"]), exclusions: [{ events: ["x"], filter: everything(), after: 1, before: null }] })).toEqual([
    ["step", '["a","b"]'],
    ["step", "c"],
    ["window", "7d"],
    ["exclude", "x"],
  ]);
});

test("a preset alone brings its habits; a field that is said wins", () => {
  for (const preset of Object.keys(PRESETS) as Preset[]) {
    expect(funnelFromUrl(new URLSearchParams(`step=a&step=b&preset=${preset}`))).toMatchObject({ preset, ...PRESETS[preset] });
  }
  const query = funnelFromUrl(new URLSearchParams("step=a&step=b&preset=mixpanel&tie_ms=0&window=1h"));
  expect(query).toMatchObject({ preset: "mixpanel", tieMs: 0, window: { value: 1, unit: "h" }, reentry: "first" });
  expect(through(query!)).toEqual(query);
});

test("no steps, no question; one step gets a second, empty one; a 21st is dropped", () => {
  expect(funnelFromUrl(new URLSearchParams("window=7d"))).toBeNull();
  expect(funnelFromUrl(new URLSearchParams("step=a"))?.steps).toEqual([emptyStep("a"), emptyStep()]);
  const many = new URLSearchParams(Array.from({ length: 21 }, (_, index) => ["step", `e${index}`]));
  expect(funnelFromUrl(many)?.steps).toHaveLength(20);
});

test("what cannot be read is as usual", () => {
  const odd = "step=a&step=b&window=soon&order=upside&max_gap=x&entity=robot&tie_ms=-1&filter={&exclude={}&exclude=&preset=excel&hold={&breakdown_limit=many";
  expect(funnelFromUrl(new URLSearchParams(odd))).toEqual(steps(["a"], ["b"]));
});

test("a step of the API's own form is read, shared filters go to each event", () => {
  const step = '{"events":["a","b"],"filter":{"property":"plan","value":"x"},"optional":false}';
  const read = funnelFromUrl(new URLSearchParams([["step", step], ["step", "c"]]));
  expect(read?.steps[0]?.any.map((match) => [match.event, match.filter.rules[0]?.name])).toEqual([["a", "plan"], ["b", "plan"]]);
});
