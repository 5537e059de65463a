import { expect, test } from "vitest";
import type { StoredEvent } from "../src/api";
import { details, fresh } from "../src/tail";

const event = (id: string, more: Partial<StoredEvent> = {}): StoredEvent => ({
  id,
  event: "view",
  seq: 0,
  timestamp: "2026-11-23T10:00:00Z",
  received_at: "2026-11-23T10:00:01Z",
  distinct_id: "anna",
  device_id: "d-1",
  user_id: "anna",
  session_id: null,
  path: "/",
  host: "",
  referrer_host: "",
  browser: "",
  os: "",
  device: "",
  lib: "",
  utm_source: "",
  utm_medium: "",
  utm_campaign: "",
  country: "",
  region: "",
  city: "",
  amount: 0,
  currency: "",
  flags: 0,
  properties: {},
  ...more,
});
const ids = (events: StoredEvent[]) => events.map((one) => one.id);

test("an event is shown once, however often it arrives", () => {
  expect(ids(fresh([event("a"), event("b"), event("b")], [event("a")], "", ""))).toEqual(["b"]);
});

test("the tail keeps to the page's filter", () => {
  const arrived = [event("a"), event("b", { event: "buy" }), event("c", { event: "buy", distinct_id: "ben", user_id: "ben", device_id: "d-2" })];
  expect(ids(fresh(arrived, [], "buy", ""))).toEqual(["b", "c"]);
  expect(ids(fresh(arrived, [], "", "anna"))).toEqual(["a", "b"]);
  expect(ids(fresh(arrived, [], "buy", "d-2"))).toEqual(["c"]);
});

test("details begin with when and who, and leave out what is empty", () => {
  expect(details(event("a")).map(([name]) => name)).toEqual([
    "timestamp", "received_at", "distinct_id", "user_id", "device_id", "id", "seq", "path",
  ]);
});

test("flags are words, and an amount of nothing is no amount", () => {
  const shown = new Map(details(event("a", { flags: 6, amount: 12.5, currency: "EUR" })));
  expect(shown.get("flags")).toBe("clock corrected, robot");
  expect(shown.get("amount")).toBe("12.5");
  expect(new Map(details(event("a"))).has("amount")).toBe(false);
});
