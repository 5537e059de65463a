import { expect, test } from "vitest";
import type { AuditCheck } from "../src/api-health";
import * as audit from "../src/audit";

const check = (holds: boolean, judged: boolean): AuditCheck => ({ name: "counts", holds, judged, detail: "30 compared" });
const verdict = (...checks: AuditCheck[]) => audit.auditVerdict({ holds: checks.every((one) => one.holds), checks });

test("a report is as good as its worst check", () => {
  expect(verdict(check(true, true), check(true, true))).toEqual({ verdict: "holds", text: "Everything agrees." });
  expect(verdict(check(true, true), check(true, false)).verdict).toBe("open");
  expect(verdict(check(true, false), check(false, true))).toEqual({ verdict: "broken", text: "1 check found a difference." });
});

test("what differs is broken, whether or not all of it could be looked at", () => {
  expect(audit.checkVerdict(check(false, false))).toBe("broken");
  expect(audit.checkVerdict(check(true, false))).toBe("open");
});

test("invariants have names for people; an unknown one keeps its own", () => {
  expect(audit.invariant("raw_rows").title).toBe("Raw events");
  expect(audit.invariant("moon_phases")).toEqual({ title: "moon phases", meaning: "" });
});

test("only days that differ are shown", () => {
  const days = [
    { day: "2026-11-01", events: 5, counted: 5 },
    { day: "2026-11-02", events: 5, counted: 4 },
  ];
  expect(audit.differing(days).map((one) => one.day)).toEqual(["2026-11-02"]);
});
