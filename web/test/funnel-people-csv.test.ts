import { expect, test } from "vitest";
import { peopleCsv } from "../src/funnel/people-csv";
import { emptyFunnel, emptyStep } from "../src/funnel/query";

const funnel = { ...emptyFunnel(), steps: [emptyStep("view"), emptyStep("buy", "subscribe")], hold: [{ of: "event" as const, name: "cart" }] };

test("one line a person, a column for every step and for what is held; nothing that a spreadsheet would run", () => {
  const rows = [
    { actor: "0a", distinct_id: "=1+1", depth: 1, held: ['big, "red"'], chain: [{ step: 1, at: "2026-11-01T10:00:00Z", event_id: "e" }], why_not: { reason: "step_missing" as const, step: 2 } },
    { actor: "0b", distinct_id: null, depth: 2, held: ["c"], chain: [{ step: 1, at: "2026-11-01T10:00:00Z", event_id: "e" }, { step: 2, at: "2026-11-01T10:05:00Z", event_id: "f" }] },
  ];
  expect(peopleCsv(rows, funnel).split("\r\n")).toEqual([
    "distinct_id,cart,steps reached,1. view,2. buy or subscribe,why not",
    `'=1+1,"big, ""red""",1,2026-11-01T10:00:00Z,,Did not go on to “buy or subscribe”.`,
    "0b,c,2,2026-11-01T10:00:00Z,2026-11-01T10:05:00Z,",
    "",
  ]);
});
