import { describe, expect, test } from "vitest";
import { instantOf, pastOf, pastToUrl, wallClock } from "../src/past/instant";
import { betweenWords, comparable, meaningOf, rowsOf, type Question } from "../src/past/words";
import { carried } from "../src/routes";
import { addressOf } from "../src/saved/stored";

const query = (text: string) => new URLSearchParams(text);

describe("the address", () => {
  test("names an instant, and whose ids were whose", () => {
    expect(pastOf(query("as_of=2026-11-20T08:00:00Z&identity=17"))).toEqual({ as_of: "2026-11-20T08:00:00Z", identity_version: 17 });
    expect(pastOf(query("as_of=2026-11-20T08:00:00Z&identity=x"))).toEqual({ as_of: "2026-11-20T08:00:00Z" });
    expect([pastOf(query("as_of=once")), pastOf(query("identity=17"))]).toEqual([null, null]);
    expect(pastToUrl({ as_of: "2026-11-20T08:00:00Z" })).toEqual({ as_of: "2026-11-20T08:00:00Z", identity: null });
    expect(pastToUrl(null)).toEqual({ as_of: null, identity: null });
  });

  test("carries it from page to page, and saves it nowhere", () => {
    const asked = query("event=a&as_of=2026-11-20T08:00:00Z&identity=17&range=7d");
    expect(carried(asked).map(([name]) => name)).toEqual(["as_of", "identity", "range"]);
    expect(addressOf(asked)).toBe("event=a");
  });
});

describe("clocks of a zone", () => {
  const berlin = "Europe/Berlin";
  test.each([
    ["2026-11-20T08:00", berlin, "2026-11-20T07:00:00.000Z"],
    ["2026-07-20T08:00", berlin, "2026-07-20T06:00:00.000Z"],
    ["2026-11-20T08:00", "Asia/Kathmandu", "2026-11-20T02:15:00.000Z"],
    ["2026-11-20T08:00", "Pacific/Kiritimati", "2026-11-19T18:00:00.000Z"],
    ["2026-11-20T00:30", "America/Los_Angeles", "2026-11-20T08:30:00.000Z"],
    // An hour that happens twice: the first.
    ["2026-10-25T02:30", berlin, "2026-10-25T00:30:00.000Z"],
  ])("%s in %s", (wall, zone, instant) => {
    expect(new Date(instantOf(wall, zone)!).toISOString()).toBe(instant);
    expect(wallClock(Date.parse(instant), zone)).toBe(`${wall}:00`);
  });

  test("an hour that never was, and what is no time", () => {
    expect(instantOf("2026-03-29T02:30", berlin)).toBeNull();
    expect(instantOf("2026-11-20", berlin)).toBeNull();
    expect(instantOf("2026-13-20T08:00", berlin)).toBeNull();
  });

  test("seconds, which fields leave out where they are none", () => {
    expect(new Date(instantOf("2026-11-20T08:00:07", berlin)!).toISOString()).toBe("2026-11-20T07:00:07.000Z");
    expect(instantOf("2026-11-20T08:00:00", berlin)).toBe(instantOf("2026-11-20T08:00", berlin));
  });
});

const change = (name: string, from: number | null, to: number | null, events: number | null = 0, identity: number | null = 0, removed: number | null = null) => ({ name, from, to, removed, events, identity });
const funnel = { kind: "funnel", steps: [{ event: "a" }, { event: "b" }] } as Question;

describe("what has changed", () => {
  test("numbers are called as on their page, and parts of the question are none", () => {
    const numbers = [
      change("/steps/1/reached", 4, 6, 3, -1),
      change("/steps/0/reached", 10, 10),
      change("/overall/rate", 0.4, 0.6, 0.3, -0.1),
      change("/window_ms", 7, 7),
    ];
    const rows = rowsOf({ numbers }, funnel, ["View", "Buy"]);
    expect(rows.map(({ name, from, to, events, identity, changed, counts }) => [name, from, to, events, identity, changed, counts])).toEqual([
      ["1. View", "10", "10", "0", "0", false, true],
      ["2. Buy", "4", "6", "+3", "−1", true, true],
      ["Conversion", "40.0 %", "60.0 %", "+30.0 points", "−10.0 points", true, false],
    ]);
    expect(rows.every((row) => row.removed === null)).toBe(true);
  });

  test("erasures are told where somebody said what the number was", () => {
    const [row] = rowsOf({ numbers: [change("/steps/0/reached", 12, 10, 1, 0, -3)] }, funnel);
    expect([row!.removed, row!.events, row!.identity]).toEqual(["−3", "+1", "0"]);
  });

  test("columns stand in their order, and a number that came to be is a change", () => {
    const retention = { kind: "retention" } as Question;
    const numbers = [change("/mean/10/retained", null, 3, null, null), change("/mean/2/retained", 1, 1), change("/mean/2/size", 9, 9)];
    expect(rowsOf({ numbers }, retention, []).map((row) => [row.name, row.from, row.changed])).toEqual([
      ["Came back, period 2", "1", false],
      ["Came back, period 10", "–", true],
    ]);
  });

  test("what nobody can read is no change, what cancels out is one", () => {
    const rows = rowsOf({ numbers: [change("/overall/rate", 0.0881, 0.0882, 0.0001), change("/steps/0/reached", 5, 5, 2, -2)] }, funnel);
    expect(rows.map((row) => [row.events, row.changed])).toEqual([
      ["+2", true],
      ["0", false],
    ]);
  });

  test("a series has one number: what it measures", () => {
    const trends = { kind: "trends", series: [{ event: "a" }, { event: "b", measure: "persons" }] } as Question;
    const told = ["/series/0/total", "/series/0/value", "/series/1/total", "/series/1/value", "/formula/0/value"].map((one) => meaningOf(one, trends, ["a", "b, persons"])?.[0] ?? null);
    expect(told).toEqual(["a", null, null, "b, persons", "Formula"]);
    const visits = { kind: "web" } as Question;
    expect([meaningOf("/total/bounce_rate", visits)?.[0], meaningOf("/total/else", visits)]).toEqual(["Bounce rate", null]);
  });

  test("a breakdown is left out: its values may stand elsewhere later", () => {
    const broken = { ...funnel, breakdown: [{ property: "plan" }], breakdown_limit: 5, why_not: true } as Question;
    expect(comparable(broken)).toEqual({ question: funnel, whole: false });
    expect(comparable({ ...funnel, breakdown: [] } as Question).whole).toBe(true);
  });

  test("what happened in between, in words", () => {
    expect(betweenWords({ events: 0, days: [], ids: 0, removals: 0, removed_events: 0 })).toEqual(["No event of these dates was received since."]);
    expect(betweenWords({ events: 1, days: [], ids: 2, removals: 1, removed_events: 30 })).toEqual([
      "1 event of these dates was received since.",
      "2 ids turned out to be somebody else's (merges, sign-ins, splits).",
      "1 removal (erasures, retention) took 30 events of all dates.",
    ]);
  });
});
