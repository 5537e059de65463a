import { describe, expect, test } from "vitest";
import type { Rules } from "../src/api-cohorts";
import { idsOf } from "../src/cohorts/ids";
import { complaint, emptyGroup, emptyLeaf, fromApi, places, toApi, words } from "../src/cohorts/rules";

const regulars: Rules = {
  and: [
    { did: { event: "purchase" }, at_least: 3, last_days: 90 },
    { not: { sequence: [{ event: "view_item" }, { events: ["refund", "complaint"] }], within: "7d" } },
    { or: [{ first: { event: "sign_up" }, from: "2026-10-01", to: "2026-11-01" }, { person: "plan", op: "is", value: "club" }] },
  ],
};

describe("a cohort's rules", () => {
  test.each([
    [regulars],
    [{ did: {} }],
    [{ did: { event: "a", filter: { property: "p", op: "is", value: "x" } }, exactly: 0 }],
    [{ not: { did: { event: "a" }, last_days: 7 } }],
    [{ not: { person: "plan", op: "is_set" } }],
    [{ not: { or: [{ did: { event: "a" } }, { not: { did: { event: "b" } } }] } }],
    [{ not: { not: { did: { event: "a" } } } }],
  ] as [Rules][])("are read and written without loss: %j", (rules) => {
    expect(toApi(fromApi(rules))).toEqual(rules);
  });

  test("say what they mean", () => {
    expect(words(fromApi(regulars))).toBe(
      "did purchase at least 3 times in the last 90 days and did not do view_item, then refund or complaint within 7d and " +
        "(did sign_up for the first time from 2026-10-01 to 2026-11-01 or person's plan is club)",
    );
    expect(words(fromApi({ did: {}, last_days: 1 }))).toBe("did anything today");
    expect(words(fromApi({ did: { event: "a", filter: { property: "p", op: "is", value: "x" } }, exactly: 1 }))).toBe("did a where p is x exactly once");
  });

  test("are known by the API's pointers", () => {
    const root = fromApi(regulars);
    expect([...places(root).keys()]).toEqual(["", "/and/0", "/and/1/not", "/and/2", "/and/2/or/0", "/and/2/or/1"]);
    expect([...places(fromApi({ not: { did: {} } })).keys()]).toContain("/not");
  });

  test("are complained about before they are asked", () => {
    expect(complaint(emptyGroup())).toBeNull();
    expect(complaint(emptyGroup([]))).toBe("A group needs a rule.");
    expect(complaint({ ...emptyLeaf(), kind: "person" })).toBe("Name the property.");
    expect(complaint({ ...emptyLeaf(), kind: "first", when: "ever" })).toBe("Say when the first time was.");
    expect(complaint({ ...emptyLeaf(), when: "between" })).toBe("Give a date.");
  });
});

test("ids come one a line, or as the first column of a table", () => {
  expect(idsOf("\uFEFFDistinct_ID,name\r\nu_1,Ann\n\"u,\"\"2\",Bob\n\nu_1\n u_3 ")).toEqual(["u_1", 'u,"2', "u_3"]);
});
