import { expect, test } from "vitest";
import type { StoredEvent } from "../src/api";
import { sampleOf } from "../src/property-sample";

const event = (properties: Record<string, unknown>, columns: Partial<StoredEvent> = {}) => ({ properties, ...columns }) as StoredEvent;

test("the most frequent properties and values first; columns carry a dollar sign; nothing is nothing", () => {
  const sample = sampleOf([
    event({ plan: "pro", cart: { items: 2 }, note: "" }, { browser: "Safari", country: "" }),
    event({ plan: "free", paid: true }, { browser: "Chrome", country: "" }),
    event({ plan: "free", none: null }, { browser: "Chrome", country: "" }),
  ]);
  expect([...sample]).toEqual([
    ["$browser", ["Chrome", "Safari"]],
    ["plan", ["free", "pro"]],
    ["paid", ["true"]],
  ]);
});
