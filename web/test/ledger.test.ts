import { describe, expect, test } from "vitest";
import type { Fates, LedgerPoint, LedgerTotals } from "../src/api-health";
import * as ledger from "../src/ledger";

const NONE: Fates = { received: 0, stored: 0, duplicate: 0, rejected: 0, quarantined: 0, discarded: 0, pending: 0 };
const fates = (some: Partial<Fates>): Fates => ({ ...NONE, ...some });
const BAD = fates({ received: 1_000, stored: 900, duplicate: 60, rejected: 30, quarantined: 5, discarded: 2, pending: 3 });

describe("the equation", () => {
  test("names every term that is not nothing, in a fixed order", () => {
    expect(ledger.equation(BAD)).toBe(
      "1,000 received = 900 stored + 60 duplicate + 30 rejected + 5 dead letters + 2 discarded + 3 pending",
    );
    expect(ledger.equation(fates({ received: 7, stored: 7 }))).toBe("7 received = 7 stored");
    expect(ledger.equation(NONE)).toBe("0 received = 0");
  });

  test("says what it cannot explain, both ways", () => {
    expect(ledger.unexplained(BAD)).toBe(0);
    expect(ledger.unexplained(fates({ received: 10, stored: 8 }))).toBe(2);
    expect(ledger.unexplained(fates({ received: 10, stored: 11 }))).toBe(-1);
  });

  test.each<[Partial<Fates>, ledger.Standing, string]>([
    [{}, "empty", "Nothing arrived in this time."],
    [{ received: 5, stored: 4, duplicate: 1 }, "good", "Every event that arrived is accounted for; none was refused."],
    [{ received: 5, stored: 4, pending: 1 }, "good", "Every event is stored or on its way."],
    [{ received: 200, stored: 199, rejected: 1 }, "lossy", "Of 200 events, 1 rejected (0.5 %)."],
    [BAD, "lossy", "Of 1,000 events, 30 rejected (3.0 %) and 5 kept as dead letters."],
    [{ received: 3, stored: 1 }, "wrong", "The sum does not hold: 2 events unaccounted for."],
    [{ received: 3, stored: 4 }, "wrong", "The sum does not hold: 1 event too many."],
  ])("%o stands %s", (some, standing, sentence) => {
    expect(ledger.standing(fates(some))).toBe(standing);
    expect(ledger.verdict(fates(some))).toBe(sentence);
  });
});

test("the overview is told only of what did not get in", () => {
  expect(ledger.hint(fates({ received: 9, stored: 8, duplicate: 1 }))).toBeNull();
  expect(ledger.hint(BAD)).toBe("In the last hour: 30 events rejected, 5 dead letters.");
  expect(ledger.hint(fates({ received: 1, quarantined: 1 }))).toBe("In the last hour: 1 dead letter.");
});

test("notes say only what happened", () => {
  const totals: LedgerTotals = { ...BAD, late: 4, clock_corrected: 0, time_clamped: 0, client_dropped: 0, missing_estimate: 12 };
  expect(ledger.notes(totals).map((note) => [note.name, note.count])).toEqual([
    ["missing", 12],
    ["late", 4],
  ]);
});

test("a chart has stored and whatever else happened, and its open end is the point that is not over", () => {
  const series: LedgerPoint[] = [
    { at: "2026-11-23T08:00:00Z", ...fates({ received: 3, stored: 3 }) },
    { at: "2026-11-23T09:00:00Z", ...fates({ received: 3, stored: 2, rejected: 1 }) },
  ];
  expect(ledger.stackedLines(series).map((line) => [line.name, line.values])).toEqual([
    ["Stored", [3, 2]],
    ["Rejected", [0, 1]],
  ]);
  expect(ledger.stackedLines([series[0]!]).map((line) => line.name)).toEqual(["Stored"]);
  expect(ledger.finalPoints(series, "2026-11-23T10:00:00Z", "2026-11-23T09:30:00Z")).toEqual([true, false]);
  expect(ledger.finalPoints(series, "2026-11-23T10:00:00Z", "2026-11-24T00:00:00Z")).toEqual([true, true]);
});

test.each([
  ["native footfall-js/0.1.0", "footfall-js", "0.1.0", "native"],
  ["native curl/8.5.0", "curl", "8.5.0", "native"],
  ["native My App", "My App", "", "native"],
  ["native", "Unknown client", "", "native"],
])("source %s", (source, client, version, protocol) => {
  expect(ledger.sourceParts(source)).toEqual({ client, version, protocol });
});

test("a known reason is a sentence, an unknown one stays itself", () => {
  expect(ledger.reason("missing_field")).toBe("A required field is missing");
  expect(ledger.reason("from_the_future")).toBe("from_the_future");
});

test("a sample is laid out when it is JSON, and left alone when it was cut", () => {
  expect(ledger.pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(ledger.pretty('{"a":1,"b":"…')).toBe('{"a":1,"b":"…');
});
