import { expect, test } from "vitest";
import { intervals, ledgerInterval, ledgerQuestion, ledgerRange, ledgerRangeToUrl, SPANS, type LedgerRange } from "../src/ledger-range";

const of = (query: string) => ledgerRange(new URLSearchParams(query));

test("the address says which time; the other pages' ranges are understood", () => {
  expect(of("")).toEqual({ span: "24h" });
  expect(of("span=1h&from=2026-11-01&to=2026-11-03")).toEqual({ span: "1h" });
  expect(of("from=2026-11-01&to=2026-11-03")).toEqual({ from: "2026-11-01", to: "2026-11-03" });
  expect(of("range=7d")).toEqual({ span: "7d" });
  for (const nonsense of ["span=5y", "range=all", "from=2026-11-03&to=2026-11-01", "from=x&to=y"]) {
    expect(of(nonsense)).toEqual({ span: "24h" });
  }
});

test("what is chosen leads back to itself", () => {
  const ranges: LedgerRange[] = Object.keys(SPANS).map((span) => ({ span: span as keyof typeof SPANS }));
  for (const range of [...ranges, { from: "2026-11-01", to: "2026-11-08" }]) {
    const query = new URLSearchParams("range=90d&view=rejected");
    for (const [name, value] of Object.entries(ledgerRangeToUrl(range))) {
      if (value === null) query.delete(name);
      else query.set(name, value);
    }
    expect(ledgerRange(query)).toEqual(range);
  }
});

test("intervals give a readable number of bars", () => {
  expect(intervals({ span: "1h" })).toEqual(["minute"]);
  expect(intervals({ span: "24h" })).toEqual(["hour"]);
  expect(intervals({ span: "7d" })).toEqual(["hour", "day"]);
  expect(intervals({ span: "30d" })).toEqual(["hour", "day"]);
  expect(intervals({ span: "90d" })).toEqual(["day"]);
  expect(intervals({ from: "2026-11-01", to: "2026-11-02" })).toEqual(["hour"]);
  expect(ledgerInterval({ span: "7d" }, "day")).toBe("day");
  expect(ledgerInterval({ span: "90d" }, "minute")).toBe("day");
  expect(ledgerInterval({ from: "2026-11-01", to: "2026-11-02" }, null)).toBe("hour");
});

test("hours end now on whole intervals, days are the project's", () => {
  const now = Date.parse("2026-11-23T09:12:30Z");
  expect(ledgerQuestion({ span: "1h" }, "minute", now, "2026-11-23")).toEqual({
    from: "2026-11-23T08:13:00Z",
    to: "2026-11-23T09:13:00Z",
    interval: "minute",
  });
  expect(ledgerQuestion({ span: "24h" }, "hour", now, "2026-11-23")).toEqual({
    from: "2026-11-22T10:00:00Z",
    to: "2026-11-23T10:00:00Z",
    interval: "hour",
  });
  expect(ledgerQuestion({ span: "7d" }, "hour", now, "2026-11-23")).toEqual({ from: "2026-11-17", to: "2026-11-24", interval: "hour" });
  expect(ledgerQuestion({ from: "2026-11-01", to: "2026-11-02" }, "hour", now, "2026-11-23")).toEqual({
    from: "2026-11-01",
    to: "2026-11-02",
    interval: "hour",
  });
});
