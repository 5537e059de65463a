import { expect, test } from "vitest";
import * as erasure from "../src/erasure";

test("ids stand one a line; blanks and repetitions are no ids", () => {
  expect(erasure.distinctIds("  u_1\n\nu_2\r\nu_1 \n u 3")).toEqual(["u_1", "u_2", "u 3"]);
  expect(erasure.idsProblem(["u_1"])).toBeNull();
  expect(erasure.idsProblem(Array.from({ length: 101 }, (_, index) => `u_${index}`))).toBe("At most 100 ids at once; these are 101.");
  expect(erasure.idsProblem(["x".repeat(200)])).toBeNull();
  expect(erasure.idsProblem(["ok", "x".repeat(201)])).toContain("longer than 200 characters");
});

test("what an erasure takes away, in words", () => {
  const say = (one: Partial<Parameters<typeof erasure.subject>[0]>) =>
    erasure.subject({ kind: "range", persons: 0, ...one } as Parameters<typeof erasure.subject>[0], "Europe/Berlin");
  expect(say({ kind: "person", persons: 1 })).toBe("A person (1 id)");
  expect(say({ kind: "person", persons: 3 })).toBe("A person (3 ids)");
  expect(say({ kind: "project" })).toBe("Everything so far");
  // Local midnights of Berlin; the end is not included.
  expect(say({ from: "2026-10-02T22:00:00Z", to: "2026-10-04T22:00:00Z" })).toBe("3 Oct 2026 – 4 Oct 2026");
  expect(say({ from: "2026-10-02T22:00:00Z", to: "2026-10-03T22:00:00Z" })).toBe("3 Oct 2026");
  expect(say({ kind: "retention", to: "2025-10-31T23:00:00Z" })).toBe("Before 1 Nov 2025");
});

test("an erasure under way is asked for again, a finished one is not", () => {
  expect(["requested", "waiting", "removing", "rebuilding", "verifying"].every((state) => erasure.running(state as never))).toBe(true);
  expect([erasure.running("done"), erasure.running("failed")]).toEqual([false, false]);
  expect([erasure.progress("requested"), erasure.progress("done")]).toEqual([0, 1]);
  expect(erasure.progress("removing")).toBeLessThan(erasure.progress("rebuilding"));
});

test("a certificate's rows show what was not counted as unknown, not as nothing", () => {
  const counts = { events: 10, actor_days: 2, dead_letters: 0, rejected_samples: 1, id_pairs: 3 };
  expect(erasure.countRows(counts, null)).toEqual([
    ["Raw events", 10, null],
    ["Active days", 2, null],
    ["Dead letters", 0, null],
    ["Rejected samples", 1, null],
    ["Pairs of ids", 3, null],
  ]);
});

test("retention: only a shorter time takes something away", () => {
  expect(erasure.shortens(null, 12)).toBe(true);
  expect(erasure.shortens(24, 12)).toBe(true);
  expect(erasure.shortens(12, 24)).toBe(false);
  expect(erasure.shortens(12, null)).toBe(false);
  expect([null, 1, 12, 13, 36].map(erasure.months)).toEqual(["for ever", "1 month", "1 year", "13 months", "3 years"]);
});
